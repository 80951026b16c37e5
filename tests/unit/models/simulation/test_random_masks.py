import importlib.util

import numpy as np
import pytest

from echotrain.models.simulation.random_masks import LINE_MASKS, calibration_lines, partial_fourier_lines, uniform_lines


@pytest.mark.parametrize("kind", LINE_MASKS)
@pytest.mark.parametrize("n", [96, 129, 256])
@pytest.mark.parametrize("acceleration", [2.0, 3.3, 6.0])
def test_masks_have_the_acceleration_that_was_asked_for_and_their_centre(kind, n, acceleration):
    for seed in range(5):
        mask = LINE_MASKS[kind](n, acceleration, np.random.default_rng(seed))
        assert n / mask.sum() == pytest.approx(acceleration, rel=0.2 if kind == "equispaced" else 0.06)
        width = calibration_lines(n, acceleration)
        first = n // 2 - width // 2
        assert mask[first : first + width].all()


@pytest.mark.parametrize("kind", LINE_MASKS)
def test_at_the_highest_accelerations_the_centre_is_left_and_little_else(kind):
    mask = LINE_MASKS[kind](96, 12.0, np.random.default_rng(0))
    assert 8 <= mask.sum() <= 11


@pytest.mark.parametrize("kind", LINE_MASKS)
def test_masks_differ_from_draw_to_draw(kind):
    rng = np.random.default_rng(0)
    drawn = {LINE_MASKS[kind](128, 4.0, rng).tobytes() for _ in range(10)}
    assert len(drawn) > 3


def test_equispaced_lines_lie_at_one_distance_outside_of_the_centre():
    mask = LINE_MASKS["equispaced"](256, 4.0, np.random.default_rng(1))
    below = np.flatnonzero(mask[:110])
    assert len(set(np.diff(below))) == 1


def test_partial_fourier_leaves_an_edge_out_on_either_side_of_which_the_other_is_whole():
    sides = set()
    for seed in range(20):
        lines = np.flatnonzero(partial_fourier_lines(128, 2.0, np.random.default_rng(seed)))
        early, late = lines.min(), 127 - lines.max()
        assert max(early, late) >= 15
        assert min(early, late) < 8
        sides.add(bool(early > late))
    assert sides == {True, False}


def test_the_mask_of_quoted_figures_is_the_published_one(data):
    """The definition lies beside the shared data: same lines for seed 0."""
    spec = importlib.util.spec_from_file_location("bart_reference", data.parent / "tools" / "bart_reference.py")
    if spec is None or spec.loader is None or not (data.parent / "tools" / "bart_reference.py").is_file():
        pytest.skip("tools/bart_reference.py is not beside the shared data")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    for n, acceleration in ((256, 4), (256, 8), (128, 4), (160, 8), (96, 12)):
        ours = uniform_lines(n, acceleration, np.random.default_rng(0))
        np.testing.assert_array_equal(ours, reference.mask(n, acceleration))
