"""Small scans, and reconstructions of them as matrices."""

from dataclasses import replace

import pytest
import torch

from echotrain.models.measurements import Measurements


@pytest.fixture
def make_scan():
    """Return a function that makes random measurements, consistent with an image; zero maps are possible."""

    def make(batch=1, coils=3, size=(12, 10), acceleration=3, *, scale=1.0, seed=0):
        generator = torch.Generator().manual_seed(seed)

        def random(*shape):
            return torch.randn(*shape, dtype=torch.complex64, generator=generator)

        maps = random(batch, coils, *size)
        maps /= maps.abs().square().sum(dim=1, keepdim=True).sqrt()
        mask = torch.zeros(batch, 1, size[0], 1, dtype=torch.bool)
        mask[:, :, ::acceleration] = True
        mask[:, :, size[0] // 2 - 1 : size[0] // 2 + 2] = True
        empty = Measurements(torch.zeros_like(maps), mask, maps)
        return replace(empty, kspace=scale * empty.operator()(random(batch, *size)))

    return make


@pytest.fixture
def matrix_of():
    """Return a function that writes a linear reconstruction of one slice as a matrix, sampled entries to pixels."""

    def matrix(reconstruct, scan):
        sampled = scan.mask.expand(scan.kspace.shape)[0]
        units = torch.zeros(int(sampled.sum()), *sampled.shape, dtype=torch.complex64)
        units[:, sampled] = torch.eye(len(units), dtype=torch.complex64)
        each = (len(units), -1, -1, -1)
        return reconstruct(Measurements(units, scan.mask.expand(each), scan.maps.expand(each))).flatten(1).T

    return matrix


@pytest.fixture
def seeded():
    """Return a function that makes a generator."""
    return lambda seed=0: torch.Generator().manual_seed(seed)
