import numpy as np
import pytest
import torch

from echotrain.models.coils.gridded_calibration import gridded_calibration
from echotrain.models.operators.density_compensation import iterative_compensation
from echotrain.models.operators.fourier import FourierOperator
from echotrain.models.operators.nonuniform_fourier import NonuniformFourierOperator
from echotrain.models.simulation.trajectories import radial, spiral, spoke_angles

N = 64


def sampled(points, grid):
    """Trajectory, weights, and what gridding makes of a blob seen by two coils."""
    trajectory = torch.from_numpy(points.reshape(-1, 2))
    y, x = np.mgrid[: grid[0], : grid[1]] - np.array(grid).reshape(2, 1, 1) // 2
    blob = torch.from_numpy(np.exp(-((x - 3) ** 2 + y**2) / 50) * np.stack([np.ones(grid), np.exp(0.1j * y)]))[None]
    weights = iterative_compensation(trajectory, grid)
    operator = NonuniformFourierOperator(trajectory, grid)
    return trajectory, weights, operator.adjoint(weights * operator(blob)), blob


@pytest.mark.parametrize(
    ("points", "grid", "edges"),
    [
        (radial(spoke_angles(50), 2 * N), (N, N), (24, 24)),
        (radial(spoke_angles(50), 2 * N), (N, N - 1), (24, 24)),
        (spiral(8, N, spacing=0.5), (N, N), (24, 24)),
        (radial(spoke_angles(30), 40), (20, 11), (18, 11)),  # spokes leave the corners out
    ],
)
def test_the_centre_of_k_space_is_that_of_the_object(points, grid, edges):
    trajectory, weights, gridded, blob = sampled(points, grid)
    region = gridded_calibration(gridded, trajectory, weights)
    assert region.shape == (1, 2, *edges)
    expected = FourierOperator()(blob)
    for axis, (n, edge) in enumerate(zip(grid, edges, strict=True), start=2):
        expected = expected.narrow(axis, n // 2 - edge // 2, edge)
    assert (region - expected).norm() < 0.03 * expected.norm()


def test_few_spokes_have_a_smaller_centre_that_is_fully_sampled():
    trajectory, weights, gridded, _ = sampled(radial(spoke_angles(16), 2 * N), (N, N))
    edge = gridded_calibration(gridded, trajectory, weights).shape[-1]
    assert 10 <= edge <= 16, "at a radius of 16 / pi, 5, spokes lie one cycle per field of view apart; at 8, 1.6"


@pytest.mark.parametrize("kept", [[0, 2, 4, 6], [0, 1, 2, 4, 5, 6]])
def test_a_spiral_without_some_of_its_arms_has_no_centre_to_calibrate_from(kept):
    trajectory, weights, gridded, _ = sampled(spiral(8, N, spacing=0.5)[kept], (N, N))
    with pytest.raises(ValueError, match=r"innermost 6 x 6 points of k-space are sampled to \d\d%, expected 90%"):
        gridded_calibration(gridded, trajectory, weights)
