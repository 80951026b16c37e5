import numpy as np
import pytest

from echotrain.models.evaluation.bootstrap import bootstrap_interval


def test_intervals_of_normal_values_are_those_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(30, 2, 400)
    low, high = bootstrap_interval(values)
    deviation = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * deviation, abs=0.1 * deviation)
    assert high == pytest.approx(values.mean() + 1.96 * deviation, abs=0.1 * deviation)


def test_intervals_cover_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(1)
    trials = [bootstrap_interval(rng.exponential(size=40), resamples=400) for _ in range(300)]
    covered = np.mean([low <= 1 <= high for low, high in trials])
    assert 0.88 < covered < 0.98  # skewed values at N = 40 cost the percentile interval some


def test_the_same_values_have_the_same_interval():
    values = np.arange(10.0)
    assert bootstrap_interval(values) == bootstrap_interval(values)


def test_one_value_has_no_interval_and_equal_ones_have_none_to_speak_of():
    assert bootstrap_interval(np.array([3.0])) is None
    assert bootstrap_interval(np.full(5, 3.0)) == (3.0, 3.0)
