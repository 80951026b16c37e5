import numpy as np
import pytest

from echotrain.models.simulation.phantom_grid import slice_points
from echotrain.models.simulation.simulated_coils import (
    CoilArray,
    coil_array,
    correlated_noise,
    magnetic_field,
    noise_covariance,
    sensitivities,
    vector_potential,
)


def loop(radius=0.5):
    normal = np.array([[0.6, 0.0, 0.8]])
    return CoilArray(np.array([[0.2, -0.1, 0.3]]), normal, np.array([radius]), np.ones(1, complex))


def numerical(array, point, segments=4000):
    """Biot-Savart and vector potential by summation over the wire, in units of mu0 / 2 pi."""
    normal, centre, a = array.normals[0], array.centres[0], array.radii[0]
    u = np.cross(normal, [0, 1, 0])
    u /= np.linalg.norm(u)
    v = np.cross(normal, u)
    t = (np.arange(segments) + 0.5) * 2 * np.pi / segments
    wire = centre + a * (np.cos(t)[:, None] * u + np.sin(t)[:, None] * v)
    step = a * (-np.sin(t)[:, None] * u + np.cos(t)[:, None] * v) * (2 * np.pi / segments)
    away = point - wire
    r = np.linalg.norm(away, axis=1)[:, None]
    return np.sum(np.cross(step, away) / r**3, axis=0) / 2, np.sum(step / r, axis=0) / 2


@pytest.mark.parametrize("point", [(0.0, 0.0, 0.0), (-0.7, 0.5, 0.2), (0.2, -0.1, 0.31), (1.4, 0.3, -0.9)])
def test_field_and_potential_of_a_loop_agree_with_summation_over_the_wire(point):
    array = loop()
    at = tuple(np.array([c]) for c in point)
    field, potential = numerical(array, np.array(point))
    np.testing.assert_allclose(magnetic_field(array, 0, at)[:, 0], field, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(vector_potential(array, 0, at)[:, 0], potential, rtol=1e-6, atol=1e-8)


def test_the_field_on_the_axis_is_the_textbook_formula():
    array, h = loop(), 0.7
    at = tuple(np.array([c]) for c in array.centres[0] + h * array.normals[0])
    field = magnetic_field(array, 0, at)[:, 0]
    np.testing.assert_allclose(field, np.pi * 0.25 / (0.25 + h**2) ** 1.5 * array.normals[0], rtol=1e-9)


def test_the_field_has_no_divergence():
    array, step = loop(), 1e-4
    divergence = 0.0
    for axis in range(3):
        ends = []
        for sign in (1, -1):
            point = np.array([-0.3, 0.4, 0.1])
            point[axis] += sign * step
            ends.append(magnetic_field(array, 0, tuple(point[:, None]))[axis, 0])
        divergence += (ends[0] - ends[1]) / (2 * step)
    assert abs(divergence) < 1e-6


@pytest.mark.parametrize("coils", [1, 2, 7, 8, 32])
def test_sensitivities_are_finite_smooth_and_scaled_at_the_isocentre(coils):
    array = coil_array(coils, np.random.default_rng(0))
    maps = sensitivities(array, slice_points((64, 64)))
    assert maps.shape == (coils, 64, 64)
    assert np.isfinite(maps).all()
    assert np.sqrt(np.sum(np.abs(maps[:, 32, 32]) ** 2)) == pytest.approx(1, rel=1e-5)
    rss = np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))
    assert np.abs(np.diff(rss, axis=0)).max() < 0.15 * rss.max()


def test_a_coil_is_most_sensitive_near_itself():
    array = coil_array(8, np.random.default_rng(0))
    maps = np.abs(sensitivities(array, slice_points((64, 64), (1.6, 1.6))))
    for coil in range(8):
        row, column = np.unravel_index(maps[coil].argmax(), (64, 64))
        direction = np.array([column - 32, row - 32]) / 32
        assert direction @ array.centres[coil, :2] > 0.6


def test_the_covariance_is_hermitian_positive_and_falls_with_distance():
    covariance = noise_covariance(coil_array(8, np.random.default_rng(0)), 0.6)
    np.testing.assert_allclose(covariance, covariance.conj().T)
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert np.trace(covariance).real / 8 == pytest.approx(1)
    size = np.abs(covariance) / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)).real)
    assert size[0, 1] > size[0, 2]
    assert np.abs(covariance.imag).max() > 0.05


def test_without_correlation_each_coil_has_its_own_noise():
    covariance = noise_covariance(coil_array(4, np.random.default_rng(0)), 0.0)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-12)


def test_a_correlation_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"1\.5, expected 0 to 1"):
        noise_covariance(coil_array(4, np.random.default_rng(0)), 1.5)


def test_more_rows_than_coils_are_refused():
    with pytest.raises(ValueError, match="2 coils in 3 rows"):
        coil_array(2, np.random.default_rng(0), rows=3)


def test_noise_has_the_covariance_that_was_asked_for():
    covariance = 3 * noise_covariance(coil_array(4, np.random.default_rng(0)), 0.8)
    noise = correlated_noise(covariance, (40, 1000), np.random.default_rng(1))
    flat = noise.transpose(1, 0, 2).reshape(4, -1).astype(complex)
    np.testing.assert_allclose(flat @ flat.conj().T / flat.shape[1], covariance, atol=0.06)
    np.testing.assert_allclose(flat @ flat.T / flat.shape[1], 0, atol=0.06)  # circular: no pseudo-covariance


def test_noise_is_the_same_however_the_readouts_are_divided():
    covariance = noise_covariance(coil_array(3, np.random.default_rng(0)))
    whole = correlated_noise(covariance, (10, 7), np.random.default_rng(1))
    rng = np.random.default_rng(1)
    parts = [correlated_noise(covariance, (n, 7), rng) for n in (1, 4, 5)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
