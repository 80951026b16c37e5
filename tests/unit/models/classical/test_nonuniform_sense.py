"""SENSE along trajectories: against a dense solve, and against the phantom that was scanned."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from echotrain.models.classical.nonuniform_sense import NonuniformSense
from echotrain.models.coils.espirit import espirit_maps
from echotrain.models.coils.gridded_calibration import gridded_calibration
from echotrain.models.fourier import centred_fft, centred_ifft
from echotrain.models.operators.density_compensation import iterative_compensation
from echotrain.models.operators.nonuniform_fourier import NonuniformFourierOperator
from echotrain.models.operators.toeplitz import ToeplitzOperator
from echotrain.models.simulation.ellipse_phantom import SHEPP_LOGAN, ellipsoid_image
from echotrain.models.simulation.phantom_grid import slice_points
from echotrain.models.simulation.simulated_coils import coil_array, sensitivities
from echotrain.models.simulation.trajectories import radial, spiral, spoke_angles

N = 64  # 101 spokes are fully sampled


def acquired(points, images):
    """What is needed to reconstruct images (batch, coils, y, x) that are sampled at points (samples, 2)."""
    trajectory, grid = torch.from_numpy(points), images.shape[2:]
    weights = iterative_compensation(trajectory, grid)
    fourier = NonuniformFourierOperator(trajectory, grid, width=8)
    return SimpleNamespace(
        trajectory=trajectory,
        weights=weights,
        gridded=fourier.adjoint(weights * fourier(images)),
        toeplitz=ToeplitzOperator(trajectory, grid, weights, width=8),
    )


@pytest.fixture(scope="module")
def head():
    """Coil images (1, 8, y, x) complex128 of the Shepp-Logan phantom, and the disc that a field of view is.

    No edge is sharper than the disc of k-space that spokes and spirals acquire can show.
    """
    points = slice_points((N, N))
    distance = np.hypot(*(np.mgrid[:N, :N] - N // 2)) / N
    window = np.cos(np.pi * np.minimum(distance, 0.5)) ** 2
    image = centred_ifft(centred_fft(ellipsoid_image(SHEPP_LOGAN, points) + 0j, (0, 1)) * window, (0, 1))
    maps = sensitivities(coil_array(8, np.random.default_rng(0)), points)
    coils = maps * image * np.exp(1j * points[0])
    return torch.from_numpy(coils)[None].to(torch.complex128), torch.from_numpy(distance < 0.47)


def magnitude(coils):
    return torch.linalg.vector_norm(coils, dim=1)


def error(found, truth, inside):
    return float((found - truth)[:, inside].norm() / truth[:, inside].norm())


@pytest.mark.parametrize(("grid", "coils"), [((8, 8), 4), ((7, 5), 3), ((9, 4), 1), ((3, 4, 5), 4)])
@pytest.mark.parametrize("regularisation", [0.01, 0.3])
def test_it_equals_a_dense_solve(grid, coils, regularisation):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, coils, *grid, dtype=torch.complex128, generator=generator)
    maps /= torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    points = torch.rand(40, len(grid), dtype=torch.float64, generator=generator) - 0.5
    weights = torch.rand(40, dtype=torch.float64, generator=generator)
    samples = torch.randn(2, coils, 40, dtype=torch.complex128, generator=generator)
    pixels = torch.meshgrid(*(torch.arange(n).double() - n // 2 for n in grid), indexing="ij")
    turns = points.flip(1) @ torch.stack([r.flatten() for r in pixels])
    fourier = torch.exp(-2j * torch.pi * turns) / np.sqrt(pixels[0].numel())
    A = torch.einsum("pr,bcr->bcpr", fourier, maps.flatten(2)).flatten(1, 2)
    adjoint = A.mH * weights.repeat(coils)
    normal = adjoint @ A + regularisation * torch.eye(A.shape[2], dtype=A.dtype)
    expected = torch.linalg.solve(normal, adjoint @ samples.flatten(1)[..., None])
    found = NonuniformSense(iterations=300, regularisation=regularisation)(
        NonuniformFourierOperator(points, grid, width=8).adjoint(weights * samples),
        ToeplitzOperator(points, grid, weights, width=8),
        maps,
    )
    torch.testing.assert_close(found.flatten(1), expected[..., 0], rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("points", "bound"),
    [
        (radial(spoke_angles(50), 2 * N), 0.003),
        (radial(spoke_angles(34), 2 * N), 0.003),
        (radial(spoke_angles(34, golden=True), 2 * N), 0.003),
        (spiral(8, N, spacing=0.5, undersampling=2, dense=24), 0.008),
        (spiral(8, N, spacing=0.5, undersampling=3, dense=24), 0.011),
    ],
)
def test_undersampled_scans_are_unfolded_by_maps_of_their_own(head, points, bound):
    coils, inside = head
    scan = acquired(points.reshape(-1, 2), coils)
    maps, _ = espirit_maps(gridded_calibration(scan.gridded, scan.trajectory, scan.weights), (N, N))
    found = NonuniformSense(iterations=30, regularisation=1e-3)(scan.gridded, scan.toeplitz, maps)
    assert error(found.abs(), magnitude(coils), inside) < bound
    assert error(magnitude(scan.gridded), magnitude(coils), inside) > 8 * bound


@pytest.fixture(scope="module")
def small():
    """Gridded random images (3, 4, 12, 11) of too few spokes, their Toeplitz operator and their maps."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(3, 4, 12, 11, dtype=torch.complex128, generator=generator)
    maps /= torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    images = torch.randn(3, 1, 12, 11, dtype=torch.complex128, generator=generator)
    scan = acquired(radial(spoke_angles(9), 24).reshape(-1, 2), maps * images)
    return scan.gridded, scan.toeplitz, maps


@pytest.mark.parametrize("scale", [2.0**-110, 2.0**100])
def test_images_scale_with_k_space_as_far_as_single_precision_goes(scale):
    generator = torch.Generator().manual_seed(0)
    points = torch.from_numpy(radial(spoke_angles(9), 24).reshape(-1, 2).astype(np.float32))
    toeplitz = ToeplitzOperator(points, (12, 11), iterative_compensation(points, (12, 11)))
    gridded, maps = torch.randn(2, 1, 4, 12, 11, dtype=torch.complex64, generator=generator)
    maps /= torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    once, scaled = (NonuniformSense()(data, toeplitz, maps) for data in (gridded, gridded * scale))
    torch.testing.assert_close(scaled / scale, once, rtol=1e-4, atol=1e-5)


def test_a_slice_is_reconstructed_alike_alone_and_in_a_batch(small):
    gridded, toeplitz, maps = small
    alone = NonuniformSense()(gridded[1:2], toeplitz, maps[1:2])
    torch.testing.assert_close(NonuniformSense()(gridded, toeplitz, maps)[1:2], alone)


def test_nothing_sampled_gives_zero_and_a_nan_stays_in_its_slice(small):
    gridded, toeplitz, maps = small
    gridded = gridded.clone()
    gridded[0] = 0
    gridded[2, 1, 3, 3] = torch.nan
    found = NonuniformSense()(gridded, toeplitz, maps)
    assert not found[0].any()
    assert found[1].isfinite().all()
    assert not found[2].isfinite().any()
