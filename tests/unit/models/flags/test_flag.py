import pytest
from pydantic import ValidationError

from echotrain.models.flags.flag import Flag

LEVELS = {"notice": 0.5, "warning": 0.75, "severe": 0.99}


def test_the_probability_is_a_logistic_function_of_the_weighted_sum():
    flag = Flag(intercept=-1, weights={"a": 2, "b": -1}, **LEVELS)
    assert flag.probability({"a": 1, "b": 1, "c": 99}) == pytest.approx(0.5)
    assert flag.probability({"a": 2, "b": 1}) == pytest.approx(1 / (1 + 2.718281828**-2))


def test_a_single_steep_weight_is_a_threshold():
    flag = Flag(intercept=-40, weights={"kspace_spike": 20}, **LEVELS)
    assert flag.probability({"kspace_spike": 1.5}) < 1e-4
    assert flag.probability({"kspace_spike": 2.5}) > 1 - 1e-4
    assert flag.probability({"kspace_spike": 1e9}) == 1


@pytest.mark.parametrize(
    ("probability", "severity"), [(0.49, "none"), (0.5, "notice"), (0.8, "warning"), (0.99, "severe")]
)
def test_severity_rises_with_probability(probability, severity):
    assert Flag(intercept=0, weights={"a": 1}, **LEVELS).severity(probability) == severity


def test_a_flag_is_at_most_what_it_may_be():
    assert Flag(intercept=0, weights={"a": 1}, highest="notice", **LEVELS).severity(1.0) == "notice"


def test_levels_that_do_not_rise_are_refused():
    with pytest.raises(ValidationError, match=r"notice, warning and severe are 0.9, 0.75, 0.99; expected rising"):
        Flag(intercept=0, weights={"a": 1}, **{**LEVELS, "notice": 0.9})
