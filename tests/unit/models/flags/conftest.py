import numpy as np
import pytest
import torch

from echotrain.models.flags.evidence import Evidence
from echotrain.models.measurements import Measurements

SIDE, COILS = 64, 4


@pytest.fixture
def scan():
    """``scan(**fields)``: evidence of a soft disc of 30 noises, its images the truth itself."""

    def make(*, noise=1.0, added=0.0, every=2, seed=0, **fields):
        generator = torch.Generator().manual_seed(seed)
        y, x = torch.meshgrid(*[torch.arange(SIDE) - SIDE // 2] * 2, indexing="ij")
        # a soft edge: the rim of k-space is to hold noise alone
        truth = 30 * torch.sigmoid((0.35 * SIDE - torch.hypot(y.float(), x.float())) / 1.5).to(torch.complex64)
        turns = torch.arange(COILS)[:, None, None] * torch.pi / 2
        maps = 1 + 0.5 * torch.cos(turns) * y / SIDE + 0.5 * torch.sin(turns) * x / SIDE
        maps = torch.polar(maps, turns + maps)
        maps = (maps / maps.abs().square().sum(dim=0).sqrt())[None].to(torch.complex64)
        mask = torch.zeros(1, 1, SIDE, 1, dtype=torch.bool)
        mask[:, :, ::every] = mask[:, :, SIDE // 2 - 8 : SIDE // 2 + 8] = True
        clean = Measurements(torch.zeros_like(maps), mask, maps).operator()(truth[None])
        white = torch.randn(clean.shape, dtype=torch.complex64, generator=generator)
        kspace = clean + (noise + added) * white * mask
        level = fields.pop("level", noise)
        images = {"judged": truth.numpy(), "conventional": truth.numpy()}
        return Evidence(Measurements(kspace, mask, maps, level), **{**images, **fields})

    return make


@pytest.fixture
def noise():
    """``noise(shape)``: circular complex Gaussian numbers, E|n|^2 = 1, complex64."""

    def make(*shape, seed=0):
        rng = np.random.default_rng(seed)
        return ((rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) * np.sqrt(0.5)).astype(np.complex64)

    return make
