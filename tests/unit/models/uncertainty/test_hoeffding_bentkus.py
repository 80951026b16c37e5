import math

import numpy as np
import pytest
from scipy.stats import binom

from echotrain.models.uncertainty.hoeffding_bentkus import bentkus_bound, hoeffding_bound, upper_bound


@pytest.mark.parametrize(("n", "delta"), [(1, 0.1), (22, 0.1), (500, 0.01)])
def test_where_nothing_was_seen_the_bound_is_that_of_n_tosses_without_a_head(n, delta):
    assert upper_bound(0.0, n, delta) == pytest.approx(1 - delta ** (1 / n), rel=1e-12)


@pytest.mark.parametrize(("k", "n", "delta"), [(1, 20, 0.1), (5, 50, 0.05), (150, 300, 0.1)])
def test_bentkus_is_the_exact_binomial_tail_times_e(k, n, delta):
    bound = bentkus_bound(k / n, n, delta)
    assert math.e * binom.cdf(k, n, bound) == pytest.approx(delta, rel=1e-9)
    assert bentkus_bound((k - 0.5) / n, n, delta) == bound  # n times the mean is rounded up


@pytest.mark.parametrize(("mean", "n", "delta"), [(0.02, 100, 0.1), (0.5, 40, 0.05), (0.9, 1000, 0.2)])
def test_hoeffding_solves_its_equation_and_is_within_the_looser_quadratic_form(mean, n, delta):
    R = hoeffding_bound(mean, n, delta)
    entropy = mean * math.log(mean / R) + (1 - mean) * math.log((1 - mean) / (1 - R))
    assert math.exp(-n * entropy) == pytest.approx(delta, rel=1e-6)
    assert mean < R <= mean + math.sqrt(math.log(1 / delta) / (2 * n))  # Pinsker's inequality


def test_the_bound_is_the_better_of_the_two_and_each_is_so_somewhere():
    cases = [(mean, 100, 0.1) for mean in (0.0, 0.05, 0.5)]
    better = {hoeffding_bound(*case) < bentkus_bound(*case) for case in cases}
    assert better == {True, False}
    for case in cases:
        assert upper_bound(*case) == min(hoeffding_bound(*case), bentkus_bound(*case))


def test_the_bound_grows_with_the_mean_and_nears_it_with_more_observations():
    assert (np.diff([upper_bound(mean, 60, 0.1) for mean in np.linspace(0, 1, 41)]) >= 0).all()
    assert upper_bound(0.05, 10**6, 0.1) == pytest.approx(0.05, abs=5e-4)
    assert upper_bound(1.0, 10, 0.1) == 1
    assert upper_bound(1 - 1e-17, 10, 0.1) == 1
    assert upper_bound(0.999999, 1, 0.1) == 1


@pytest.mark.parametrize("expectation", [0.05, 0.3])
def test_the_expectation_exceeds_the_bound_at_most_as_often_as_promised(expectation):
    n, delta = 50, 0.1
    counts = np.arange(n + 1)  # every outcome of n tosses, so that no chance is left in the test
    exceeds = np.array([upper_bound(k / n, n, delta) < expectation for k in counts])
    assert 0 < binom.pmf(counts, n, expectation)[exceeds].sum() <= delta


def test_what_is_no_mean_or_no_probability_is_refused():
    for arguments in ((1.1, 5, 0.1), (-0.1, 5, 0.1), (float("nan"), 5, 0.1), (0.5, 0, 0.1), (0.5, 5, 0.0)):
        with pytest.raises(ValueError, match="expected \\[0, 1\\]"):
            upper_bound(*arguments)
