import numpy as np
import pytest

from echotrain.models.perturbation.readout_kinds import Dropped, Reordered, Repeated
from echotrain.models.perturbation.readout_order import arrivals, lines_exchanged


@pytest.mark.parametrize(("kind", "times"), [(Dropped, 0), (Repeated, 2)])
def test_the_stated_share_of_readouts_is_lost_or_comes_twice(kind, times):
    numbers = np.arange(4000)
    found = arrivals(numbers, kind(share=0.2), 3)
    assert set(found.tolist()) == {1, times}
    assert (found == times).mean() == pytest.approx(0.2, abs=5 * np.sqrt(0.16 / 4000))
    np.testing.assert_array_equal(arrivals(numbers[7:20], kind(share=0.2), 3), found[7:20])
    assert (arrivals(numbers, kind(share=1), 3) == times).all()
    assert (arrivals(numbers, kind(share=0), 3) == 1).all()


def exchanged(lines, share=1.0, images=0, limits=(0, 63), acceleration=1):
    lines = np.asarray(lines)
    counters = {"slice": np.broadcast_to(images, lines.shape)}
    return lines_exchanged(lines, counters, limits, acceleration, Reordered(share=share), 3)


def test_neighbouring_lines_are_taken_for_each_other_in_pairs():
    assert exchanged(range(6)).tolist() == [1, 0, 3, 2, 5, 4]
    some = exchanged(range(64), share=0.5)
    assert sorted(some.tolist()) == list(range(64))
    assert 0 < np.count_nonzero(some != np.arange(64)) < 64


def test_both_of_a_pair_find_out_wherever_they_stand_in_the_stream():
    order = np.random.default_rng(0).permutation(64)
    np.testing.assert_array_equal(exchanged(order, share=0.5), exchanged(range(64), share=0.5)[order])


def test_other_images_exchange_other_lines():
    assert (exchanged(range(64), share=0.5, images=1) != exchanged(range(64), share=0.5)).any()


def test_accelerated_scans_exchange_lines_that_are_acquired():
    assert exchanged([1, 5, 9, 13], acceleration=4).tolist() == [5, 1, 13, 9]


def test_a_line_without_a_neighbour_keeps_its_place():
    assert exchanged(range(5), limits=(0, 4)).tolist() == [1, 0, 3, 2, 4]
    assert exchanged(range(3, 6), limits=(3, 5)).tolist() == [3, 5, 4]
