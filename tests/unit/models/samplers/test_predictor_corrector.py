from dataclasses import replace

import pytest
import torch

from echotrain.models.samplers.predictor_corrector import SCORE_MRI, PredictorCorrector

WHITE = torch.ones(32, dtype=torch.float64)
STEEP = torch.arange(1, 33, dtype=torch.float64) ** -2


def assert_right_but_where_measured(statistics):
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1.1
    assert statistics.variance_measured < 1e-6


@pytest.mark.parametrize("sampler", [SCORE_MRI, PredictorCorrector(step="level")])
def test_samples_are_those_of_the_posterior_but_in_the_measured_space(gaussian_case, sampler):
    case = gaussian_case()
    assert_right_but_where_measured(case.statistics(case.samples(replace(sampler, steps=100))))


@pytest.mark.slow
@pytest.mark.parametrize("steps", [200, 1000])
@pytest.mark.parametrize("sampler", [SCORE_MRI, PredictorCorrector(step="level")])
def test_so_are_they_in_full_length(gaussian_case, sampler, steps):
    case = gaussian_case()
    assert_right_but_where_measured(case.statistics(case.samples(replace(sampler, steps=steps))))


def test_steps_by_norms_at_a_high_snr_spread_samples_of_a_white_prior_too_far(gaussian_case):
    case, sampler = gaussian_case(eigenvalues=WHITE), PredictorCorrector(steps=100)
    statistics = case.statistics(case.samples(sampler))
    assert statistics.bias < 0.1
    assert statistics.variance_null == pytest.approx(1 / (1 - sampler.snr**2), abs=0.05)


@pytest.mark.parametrize(("weight", "measured"), [(1.0, (-1e-6, 1e-6)), (0.5, (0.06, 0.16))])
def test_on_a_steep_spectrum_variances_are_right_and_the_mean_is_not(gaussian_case, weight, measured):
    case = gaussian_case(eigenvalues=STEEP)
    statistics = case.statistics(case.samples(PredictorCorrector(steps=100, weight=weight)))
    assert 0.9 < statistics.variance_null < 1.1
    assert measured[0] < statistics.variance_measured < measured[1]
    assert 0.1 < statistics.bias < 0.3


def test_without_weight_samples_are_those_of_the_prior(gaussian_case):
    case = gaussian_case(sigma=1e3)  # measurements that say nothing: the posterior is the prior
    statistics = case.statistics(case.samples(PredictorCorrector(steps=100, step="level", weight=0.0)))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_measured < 1.1
    assert 0.9 < statistics.variance_null < 1.1


def test_at_full_weight_no_residual_is_left(gaussian_case):
    case = gaussian_case(samples=4)
    images = case.samples(PredictorCorrector(steps=10))
    torch.testing.assert_close(case.problem.operator(images), case.problem.y)


@pytest.mark.parametrize(
    "sampler",
    [
        PredictorCorrector(steps=40),
        PredictorCorrector(steps=40, step="level", corrections=2),
        PredictorCorrector(steps=40, corrections=0),
    ],
)
def test_it_keeps_what_samplers_promise(check_sampler, sampler):
    check_sampler(sampler, residual=0.2)


def test_the_published_run_takes_2000_evaluations():
    assert PredictorCorrector().evaluations == 2000
