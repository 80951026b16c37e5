import numpy as np
import pytest

from echotrain.models.noise import whitening_matrix
from echotrain.models.simulation.phantom_grid import slice_points
from echotrain.models.simulation.random_coils import random_sensitivities, spline_matrix
from echotrain.models.simulation.simulated_coils import coil_array, noise_covariance, sensitivities


def test_a_spline_through_a_cubic_is_that_cubic():
    def cubic(t):
        return 0.3 - t + 2 * t**2 - 0.7 * t**3

    pixels = (np.arange(40) - 20) / 20
    np.testing.assert_allclose(spline_matrix(24, 40) @ cubic(np.linspace(-1, 1, 24)), cubic(pixels), atol=2e-6)


def test_maps_are_those_of_the_whitened_loops_at_every_pixel(monkeypatch):
    rng = np.random.default_rng(5)
    drawn = []
    monkeypatch.setattr(
        "echotrain.models.simulation.random_coils.sensitivities",
        lambda array, points: drawn.append((array, points)) or sensitivities(array, points),
    )
    maps = random_sensitivities(6, (48, 40), rng, distance=1.6, correlation=0.5)
    array, (_, _, z) = drawn[0]
    exact = sensitivities(array, slice_points((48, 40), z=float(z[0, 0])))
    exact = np.tensordot(whitening_matrix(noise_covariance(array, 0.5)), exact, axes=1)
    y, x = np.meshgrid((np.arange(48) - 24) / 24, (np.arange(40) - 20) / 20, indexing="ij")
    body = np.hypot(x, y) < 1
    assert np.abs(maps - exact)[:, body].max() < 0.01 * np.abs(exact)[:, body].max()


def test_every_draw_has_coils_of_its_own():
    rng = np.random.default_rng(0)
    first, second = (random_sensitivities(4, (16, 16), rng, distance=1.8, correlation=0.3) for _ in range(2))
    assert first.dtype == np.complex64
    assert np.abs(first - second).max() > 0.1


def test_nearer_coils_differ_more_over_the_slice():
    def spread(distance):
        maps = np.abs(random_sensitivities(8, (32, 32), np.random.default_rng(1), distance, correlation=0.0))
        return np.mean([m[4:-4, 4:-4].max() / m[4:-4, 4:-4].min() for m in maps])

    assert spread(1.5) > 1.5 * spread(3.0)


def test_an_impossible_array_is_refused():
    with pytest.raises(ValueError, match="coils"):
        random_sensitivities(0, (16, 16), np.random.default_rng(0), distance=1.8, correlation=0.3)
    assert len(coil_array(1, np.random.default_rng(0))) == 1
