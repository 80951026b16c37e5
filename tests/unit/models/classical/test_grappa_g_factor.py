import numpy as np
import pytest
import torch

from echotrain.models.classical.grappa import grappa_filled
from echotrain.models.classical.grappa_g_factor import grappa_g_factor, unmixing_weights
from echotrain.models.classical.grappa_weights import GrappaKernel, grappa_weights
from echotrain.models.classical.sampling_lattice import SamplingLattice
from echotrain.models.operators.fourier import FourierOperator


def problem(harmonic_kspace, grid, lattice, coils=4, batch=2):
    """K-space on the lattice, weights (of a noisy calibration, so that they are no interpolation), combination."""
    kspace = harmonic_kspace(grid, coils, batch=batch, margin=5)
    generator = torch.Generator().manual_seed(0)
    kspace = kspace + 0.1 * torch.randn(kspace.shape, dtype=kspace.dtype, generator=generator)
    kernel = GrappaKernel(width=3, regularisation=1e-3)
    weights = grappa_weights(kspace, lattice, kernel)
    combination = torch.randn(kspace.shape, dtype=kspace.dtype, generator=generator)
    lines = lattice.points((1, *grid)[-3:-1])
    return kspace, weights, combination, lines


@pytest.mark.parametrize(
    ("grid", "lattice"),
    [
        ((24, 14), SamplingLattice((1, 2))),
        ((24, 15), SamplingLattice((1, 3), 0, (0, 1))),
        ((12, 12, 6), SamplingLattice((2, 2), 1)),
    ],
    ids=["R=2", "R=3", "2 x 2, sheared"],
)
def test_unmixing_the_aliased_images_is_filling_and_combining(harmonic_kspace, grid, lattice):
    kspace, weights, combination, lines = problem(harmonic_kspace, grid, lattice)
    inside = torch.zeros(grid)
    inside[tuple(slice(n // 2 - 1, n // 2 + 2) for n in grid[:-1])] = 1  # so that no tap reaches beyond the grid
    aliased = kspace * inside * torch.from_numpy(lines.reshape(grid[:-1]))[..., None]
    transform = FourierOperator(tuple(range(-len(grid), 0)))
    filled = grappa_filled(aliased, lines, lattice, weights)
    expected = (combination * transform.adjoint(filled)).sum(dim=1)
    found = (unmixing_weights(weights, combination) * transform.adjoint(aliased)).sum(dim=1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("lattice", [SamplingLattice((1, 2)), SamplingLattice((1, 4), 0, (0, 1))])
def test_the_g_factor_is_the_noise_of_many_reconstructions(harmonic_kspace, lattice):
    grid, replicas = (64, 6), 1000
    _, weights, combination, lines = problem(harmonic_kspace, grid, lattice, coils=3, batch=1)
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(replicas, 3, *grid, dtype=torch.complex128, generator=generator)
    transform = FourierOperator()
    filled = grappa_filled(noise * torch.from_numpy(lines[0])[:, None], lines, lattice, weights)
    accelerated = (combination * transform.adjoint(filled)).sum(dim=1).std(dim=0)
    full = (combination * transform.adjoint(noise)).sum(dim=1).std(dim=0)
    ratio = accelerated / full / np.sqrt(lattice.factor)
    g = grappa_g_factor(weights, combination)[0]
    assert g.max() > 1.5 * g.min()
    assert float((ratio / g - 1).abs().mean()) < 0.05


def test_kspace_that_does_not_alias_costs_no_noise():
    """Two coils without overlap, each lit over half the field of view: R = 2 only fills by interpolation."""
    n = 64
    y = torch.arange(n, dtype=torch.float64) - n // 2
    profiles = torch.stack((y < 0, y >= 0)).to(torch.complex128)[None, :, :, None].expand(1, 2, n, 8)
    generator = torch.Generator().manual_seed(0)
    objects = torch.randn(1, 1, n, 8, dtype=torch.complex128, generator=generator)
    calibration = FourierOperator()(objects * profiles)
    kernel = GrappaKernel(blocks=(1, 24), width=1, regularisation=1e-4)
    g = grappa_g_factor(grappa_weights(calibration, SamplingLattice((1, 2)), kernel), profiles.contiguous())[0]
    assert float(g[20:28].mean()) == pytest.approx(1, abs=0.05)
    assert float(g[36:44].mean()) == pytest.approx(1, abs=0.05)


def test_where_no_coil_is_combined_there_is_no_noise(harmonic_kspace):
    _, weights, combination, _ = problem(harmonic_kspace, (16, 12), SamplingLattice((1, 2)), batch=1)
    combination[..., :3] = 0
    g = grappa_g_factor(weights, combination)
    assert not g[..., :3].any()
    assert (g[..., 3:] > 0).all()
