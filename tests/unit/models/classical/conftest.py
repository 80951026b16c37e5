"""K-space whose reconstruction is known."""

import numpy as np
import pytest
import torch

from echotrain.models.fourier import centred_fft, centred_ifft
from echotrain.models.measurements import Measurements


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices here are too small for threads, which on a busy machine only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def harmonic_kspace():
    """K-space (batch, coils, *grid) complex128 of random objects seen by coils of few harmonics.

    Each sensitivity is a sum of the harmonics -1, 0, 1 along every axis, so a sample of a coil is a fixed combination
    of the object's 3^axes neighbouring samples: missing lines are exact combinations of acquired ones, if those are
    enough. Lines within a margin of the edges are zero, so that nothing is lost beyond them.
    """

    def make(grid, coils, *, batch=1, margin=3, seed=0):
        rng = np.random.default_rng(seed)

        def normal(*shape):
            return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)

        inside = np.ones(grid)
        for axis, n in enumerate(grid):
            room = min(margin, (n - 1) // 2)
            edge = np.minimum(np.arange(n), n - 1 - np.arange(n)) >= room
            inside *= edge.reshape([-1 if a == axis else 1 for a in range(len(grid))])
        objects = centred_ifft(normal(batch, *grid) * inside, range(1, len(grid) + 1))
        harmonics = np.zeros((coils, *grid), complex)
        middle = tuple(slice(n // 2 - (n > 1), n // 2 + 1 + (n > 1)) for n in grid)
        harmonics[:, *middle] = normal(coils, *(3 if n > 1 else 1 for n in grid))
        maps = centred_ifft(harmonics, range(1, len(grid) + 1))
        return torch.from_numpy(centred_fft(objects[:, None] * maps, range(2, len(grid) + 2)))

    return make


@pytest.fixture
def make_measurements():
    """Noiseless double precision measurements of random images by random normalised maps, and the images.

    Sampling is by lines, or by points with ``points=True``; at ``fraction=1`` everything is sampled.
    """

    def make(grid=(8, 9), *, coils=4, batch=1, fraction=0.5, points=False, seed=0):
        generator = torch.Generator().manual_seed(seed)
        images = torch.randn(batch, *grid, dtype=torch.complex128, generator=generator)
        maps = torch.randn(batch, coils, *grid, dtype=torch.complex128, generator=generator)
        maps /= torch.linalg.vector_norm(maps, dim=1, keepdim=True)
        lines = (*grid[:-1], grid[-1] if points else 1)
        mask = torch.rand(batch, 1, *lines, generator=generator) < fraction
        empty = Measurements(torch.zeros_like(maps), mask, maps)
        return Measurements(empty.operator()(images), mask, maps), images

    return make


@pytest.fixture
def dense():
    """The matrix of A of the first item: (coils * samples, pixels)."""

    def matrix(measurements):
        shape = measurements.maps.shape[2:]
        pixels = torch.eye(shape.numel(), dtype=torch.complex128).view(-1, *shape)
        first = slice(0, 1)
        one = Measurements(measurements.kspace[first], measurements.mask[first], measurements.maps[first])
        return one.operator()(pixels).flatten(1).T

    return matrix
