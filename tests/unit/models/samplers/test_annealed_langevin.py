from dataclasses import replace

import pytest

from echotrain.models.samplers.annealed_langevin import LUO, AnnealedLangevin


@pytest.mark.parametrize("sigma", [0.05, pytest.param(0.3, marks=pytest.mark.slow)])
def test_samples_are_those_of_the_posterior_spread_a_tenth_too_far(gaussian_case, sigma):
    case = gaussian_case(sigma=sigma)
    statistics = case.statistics(case.samples(AnnealedLangevin()))
    assert statistics.bias < 0.1
    assert 1 < statistics.variance_measured < 1.15
    assert 1 < statistics.variance_null < 1.15


def test_the_standard_deviation_of_each_coordinate_is_that_of_the_closed_form(gaussian_case):
    case = gaussian_case()
    deviation = case.samples(LUO).std(dim=0)
    ratio = deviation / case.posterior.covariance.diagonal().sqrt()
    assert 1 < float(ratio.mean()) < 1.1
    assert float((ratio - 1).abs().max()) < 0.15


@pytest.mark.slow
def test_more_levels_leave_less_of_what_is_too_much(gaussian_case):
    case = gaussian_case()
    statistics = case.statistics(case.samples(AnnealedLangevin(steps=500)))
    assert 0.95 < statistics.variance_measured < 1.05
    assert 0.95 < statistics.variance_null < 1.05


@pytest.mark.parametrize("sampler", [AnnealedLangevin(steps=50), replace(LUO, updates=8, steps=40)])
def test_it_keeps_what_samplers_promise(check_sampler, sampler):
    check_sampler(sampler, residual=0.2)
