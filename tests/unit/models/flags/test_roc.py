import numpy as np
import pytest

from echotrain.models.flags.roc import area_interval, area_under_curve


@pytest.mark.parametrize(
    ("negatives", "positives", "area"),
    [([1, 2, 3], [4, 5], 1.0), ([1, 2], [1, 2], 0.5), ([3, 4], [1, 2], 0.0), ([1, 3], [2, 4], 0.75)],
)
def test_the_area_is_the_share_of_pairs_in_order(negatives, positives, area):
    assert area_under_curve(np.array(negatives, float), np.array(positives, float)) == area


def test_the_interval_holds_the_area_and_shrinks_with_more_cases():
    rng = np.random.default_rng(0)
    widths = []
    for count in (20, 200):
        negatives, positives = rng.normal(size=count), rng.normal(1, size=count)
        low, high = area_interval(negatives, positives)
        assert low < area_under_curve(negatives, positives) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
