import numpy as np
import pytest

from echotrain.models.simulation.sampling_masks import (
    centre_block,
    equispaced,
    equispaced_2d,
    partial_fourier_start,
    poisson_disc,
    random_lines,
)


@pytest.mark.parametrize("n", [16, 17])
def test_an_equispaced_mask_has_the_centre_and_every_rth_line(n):
    mask = equispaced(n, 3)
    assert mask[n // 2]
    assert set(np.diff(np.flatnonzero(mask))) == {3}
    np.testing.assert_array_equal(equispaced(n, 3, 1)[1:], mask[:-1])


def test_a_sheared_pattern_moves_from_partition_to_partition():
    mask = equispaced_2d((8, 12), (2, 4), shift=1)
    assert mask.sum() == 4 * 3
    assert mask[4, 6]
    assert mask[6, 7]
    assert not mask[5].any()
    np.testing.assert_array_equal(equispaced_2d((1, 12), (1, 4), offset=1)[0], equispaced(12, 4, 1))


@pytest.mark.parametrize(
    ("n", "width", "expected"), [(8, 4, range(2, 6)), (9, 3, range(3, 6)), (4, 9, range(4)), (8, 0, [])]
)
def test_the_calibration_block_lies_about_the_centre(n, width, expected):
    assert np.flatnonzero(centre_block(n, width)).tolist() == list(expected)


@pytest.mark.parametrize("draw", [random_lines, poisson_disc])
@pytest.mark.parametrize("shape", [(128,), (32, 48)])
def test_random_masks_have_the_number_of_lines_asked_for_and_keep_what_must_be(draw, shape):
    always = np.zeros(shape, bool)
    always[tuple(slice(n // 2 - 4, n // 2 + 4) for n in shape)] = True
    mask = draw(shape, 4, np.random.default_rng(0), always=always)
    assert mask[always].all()
    assert mask.sum() == pytest.approx(mask.size / 4, rel=0.05)
    centre = mask[tuple(slice(n // 4, 3 * n // 4) for n in shape)]
    assert centre.mean() > mask.mean()


@pytest.mark.parametrize("draw", [random_lines, poisson_disc])
def test_the_same_seed_draws_the_same_mask(draw):
    a, b, c = (draw((64,), 3, np.random.default_rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_more_calibration_lines_than_the_acceleration_allows_are_all_kept():
    always = centre_block(64, 40)
    np.testing.assert_array_equal(random_lines((64,), 4, np.random.default_rng(0), always=always), always)


def test_poisson_lines_keep_a_distance_that_random_lines_do_not():
    def nearest(mask):
        places = np.argwhere(mask)
        distance = np.linalg.norm(places[:, None] - places[None], axis=2)
        return np.sort(distance + 1e9 * np.eye(len(places)), axis=1)[:, 0]

    shape = (48, 48)
    poisson = nearest(poisson_disc(shape, 6, np.random.default_rng(0), growth=0.0))
    random = nearest(random_lines(shape, 6, np.random.default_rng(0), power=0.0))
    assert poisson.min() > 1.9
    assert random.min() == 1


@pytest.mark.parametrize(("fraction", "first"), [(1.0, 0), (0.75, 4), (0.7, 4), (0.51, 7)])
def test_partial_fourier_leaves_out_the_early_lines_and_keeps_the_centre(fraction, first):
    assert partial_fourier_start(16, fraction) == first


@pytest.mark.parametrize("fraction", [0.5, 1.2, float("nan")])
def test_a_partial_fourier_fraction_without_the_centre_is_refused(fraction):
    with pytest.raises(ValueError, match=r"expected above 0\.5"):
        partial_fourier_start(16, fraction)
