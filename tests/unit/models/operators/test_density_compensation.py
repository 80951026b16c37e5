import numpy as np
import pytest
import torch
from scipy import special

from echotrain.models.operators.density_compensation import iterative_compensation, radial_compensation
from echotrain.models.operators.nonuniform_fourier import NonuniformFourierOperator
from echotrain.models.simulation.trajectories import radial, spiral, spoke_angles

N = 64


def trajectory(kind):
    if kind == "spiral":
        return spiral(8, N, spacing=0.5)
    return radial(spoke_angles(104, golden=kind == "golden"), 2 * N)


def disc_samples(points, grid, radius=16.0, centre=(3.0, -5.0)):
    """Exact k-space of a disc of intensity 1, (points,), in the scale of the orthonormal transform."""
    k = np.hypot(*points.T)
    flat = np.where(k < 1e-9, np.pi * radius**2, radius * special.j1(2 * np.pi * radius * k) / np.maximum(k, 1e-9))
    return flat * np.exp(-2j * np.pi * points @ np.array(centre)) / np.sqrt(grid[0] * grid[1])


def disc_mask(grid, radius, centre=(3.0, -5.0)):
    y, x = np.ogrid[: grid[0], : grid[1]]
    return np.hypot(x - grid[1] // 2 - centre[0], y - grid[0] // 2 - centre[1]) < radius


@pytest.mark.parametrize("kind", ["radial", "golden", "spiral"])
@pytest.mark.parametrize("grid", [(N, N), (63, 63)])
def test_a_disc_comes_back_at_its_own_intensity_and_place(kind, grid):
    points = trajectory(kind).reshape(-1, 2)
    weights = iterative_compensation(torch.from_numpy(points), grid)
    samples = torch.from_numpy(disc_samples(points, grid))
    image = NonuniformFourierOperator(torch.from_numpy(points), grid).adjoint(samples * weights).numpy()
    inside = image[disc_mask(grid, 13)]
    assert inside.mean() == pytest.approx(1, abs=0.01)
    outside = image[~disc_mask(grid, 19) & disc_mask(grid, 27, (0, 0))]
    assert abs(outside.mean()) < 0.01
    # the centre of mass tells a shift of a tenth of a pixel
    near = np.where(disc_mask(grid, 19), image.real, 0)
    y, x = np.mgrid[: grid[0], : grid[1]]
    place = [(near * axis).sum() / near.sum() - n // 2 for axis, n in ((x, grid[1]), (y, grid[0]))]
    np.testing.assert_allclose(place, (3, -5), atol=0.1)


@pytest.mark.parametrize("golden", [False, True])
def test_the_area_of_a_spokes_samples_gives_a_disc_its_own_intensity(golden):
    angles = spoke_angles(104, golden=golden)
    points = radial(angles, 2 * N).reshape(-1, 2)
    weights = radial_compensation(angles, 2 * N, (N, N))
    assert weights.sum() == pytest.approx(np.pi / 4 * N * N, rel=0.01), "the area of the disc of k-space"
    samples = torch.from_numpy(disc_samples(points, (N, N)) * weights.ravel())
    image = NonuniformFourierOperator(torch.from_numpy(points), (N, N)).adjoint(samples).numpy()
    assert image[disc_mask((N, N), 13)].mean() == pytest.approx(1, abs=0.01)


def test_the_iteration_finds_the_areas_of_spokes_but_for_centre_and_edge():
    angles = spoke_angles(104)
    areas = radial_compensation(angles, 2 * N, (N, N))
    found = iterative_compensation(torch.from_numpy(radial(angles, 2 * N).reshape(-1, 2)), (N, N)).numpy()
    middle = np.r_[16:56]
    np.testing.assert_allclose(found.reshape(areas.shape)[:, middle], areas[:, middle], rtol=0.05)


@pytest.mark.parametrize("grid", [(16, 16), (12, 15), (6, 8, 5)])
def test_the_grid_itself_has_weights_of_one(grid):
    axes = [(torch.arange(n).double() - n // 2) / n for n in grid]
    points = torch.stack([k.flatten() for k in torch.meshgrid(*axes, indexing="ij")][::-1], dim=1)
    torch.testing.assert_close(
        iterative_compensation(points, grid), torch.ones(len(points), dtype=torch.float64), rtol=0, atol=0.02
    )


def test_samples_that_come_twice_share_their_weight():
    points = torch.from_numpy(trajectory("spiral").reshape(-1, 2))
    once = iterative_compensation(points, (N, N))
    twice = iterative_compensation(torch.cat([points, points]), (N, N))
    torch.testing.assert_close(twice[: len(once)] * 2, once, rtol=1e-3, atol=0)
