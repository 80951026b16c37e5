import numpy as np
import pytest

from echotrain.models.studies.conditions import Claim, above, at_least, mean_of

RISING = np.array([1.0, 1.2, 0.9, 1.1])
NOISE = np.array([1.0, -1.0, 0.9, -1.1])


@pytest.mark.parametrize(
    ("differences", "not_smaller", "larger"),
    [(RISING, "met", "met"), (NOISE, "met", "not met"), (-RISING, "not met", "not met")],
)
def test_an_interval_decides_and_not_the_mean(differences, not_smaller, larger):
    claims = [Claim("here", RISING), Claim("there", differences)]
    assert at_least("a >= b", claims).outcome == not_smaller
    assert above("a > b", claims).outcome == larger


def test_the_worst_setting_is_named():
    found = above("a > b", [Claim("fine", RISING), Claim("bad", NOISE)], "dB").found
    assert "-0.05 [" in found
    assert "dB (bad)" in found
    assert "in 1 of 2 settings" in found


def test_one_slice_decides_nothing():
    assert at_least("a >= b", [Claim("here", np.array([1.0]))]).outcome == "too few slices"
    assert mean_of([2.0]).text() == "2"
