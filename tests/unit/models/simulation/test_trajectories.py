import numpy as np
import pytest

from echotrain.models.simulation.trajectories import GOLDEN_ANGLE, radial, spiral, spoke_angles


@pytest.mark.parametrize("samples", [8, 9])
def test_spokes_run_from_edge_to_edge_through_the_centre(samples):
    spokes = radial(spoke_angles(4), samples)
    assert spokes.shape == (4, samples, 2)
    np.testing.assert_array_equal(spokes[:, samples // 2], 0)
    np.testing.assert_allclose(np.diff(spokes[0], axis=0), np.tile((1 / samples, 0), (samples - 1, 1)), atol=1e-15)
    np.testing.assert_allclose(spokes[2, :, 0], 0, atol=1e-15)
    np.testing.assert_allclose(spokes[2, :, 1], spokes[0, :, 0])


def test_the_golden_angle_is_half_a_turn_over_the_golden_ratio():
    assert np.rad2deg(GOLDEN_ANGLE) == pytest.approx(111.2461, abs=1e-4)
    np.testing.assert_allclose(spoke_angles(3, golden=True), [0, GOLDEN_ANGLE, 2 * GOLDEN_ANGLE])


@pytest.mark.parametrize(("interleaves", "pixels", "spacing"), [(1, 32, 1.0), (8, 64, 0.5), (5, 33, 1.0)])
def test_spirals_start_at_the_centre_end_at_the_edge_and_leave_no_gap(interleaves, pixels, spacing):
    arms = spiral(interleaves, pixels, spacing=spacing)
    np.testing.assert_array_equal(arms[:, 0], 0)
    np.testing.assert_allclose(np.hypot(*arms[:, -1].T), 0.5)
    steps = np.hypot(*np.diff(arms[0], axis=0).T) * pixels
    assert steps.max() < spacing * 1.001
    np.testing.assert_allclose(steps[5:], steps[-1], rtol=0.03)  # chords of the first turn are shorter than its arcs
    distance = np.hypot(*(arms.reshape(-1, 1, 2) - [[0.2, 0.1]]).T).min() * pixels
    assert distance < 0.75, "turns lie one cycle per field of view apart"


@pytest.mark.parametrize("undersampling", [1.5, 3.0])
def test_turns_of_a_dual_density_spiral_lie_apart_as_far_as_asked_inside_and_outside_of_its_centre(undersampling):
    arms = spiral(4, 64, spacing=0.25, undersampling=undersampling, dense=24) * 64
    np.testing.assert_allclose(np.hypot(*arms[:, -1].T), 32)
    crossings = []  # of all arms with the positive x axis
    for arm in arms:
        up = np.flatnonzero((arm[:-1, 1] < 0) & (arm[1:, 1] >= 0))
        crossings += list((arm[up, 0] + arm[up + 1, 0]) / 2)
    gaps, places = np.diff(np.sort(crossings)), np.sort(crossings)[1:]
    np.testing.assert_allclose(gaps[places < 12.1], 1, atol=0.15)
    np.testing.assert_allclose(gaps[places > 11.9 + undersampling], undersampling, atol=0.15)
    assert np.count_nonzero(places < 12.1) == 11
    steps = np.hypot(*np.diff(arms[0], axis=0).T)
    np.testing.assert_allclose(steps[20:], steps[-1], rtol=0.03)
