from dataclasses import replace

import pytest

from echotrain.models.samplers.dds import PUBLISHED, Dds


def test_as_published_samples_are_too_much_alike(gaussian_case):
    case = gaussian_case(sigma=0.05, samples=2000)
    statistics = case.statistics(case.samples(PUBLISHED))
    assert statistics.bias < 0.1
    assert 0.6 < statistics.variance_null < 0.8
    assert statistics.variance_measured < 0.1


def test_as_published_without_new_noise_the_measured_space_has_no_variance(gaussian_case):
    case = gaussian_case(sigma=0.05, samples=2000)
    statistics = case.statistics(case.samples(replace(PUBLISHED, eta=0.0)))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1
    assert statistics.variance_measured < 0.001


def test_matched_to_the_noise_samples_are_those_of_the_posterior(gaussian_case):
    case = gaussian_case(sigma=0.3, samples=1500)
    statistics = case.statistics(case.samples(Dds(steps=100)))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1.1
    assert 0.9 < statistics.variance_measured < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.05, 0.3])
def test_matched_to_the_noise_in_200_steps(gaussian_case, sigma):
    case = gaussian_case(sigma=sigma, samples=4000)
    statistics = case.statistics(case.samples(Dds(steps=200)))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1.1
    assert 0.9 < statistics.variance_measured < 1.1


def test_twenty_steps_are_as_unbiased(gaussian_case):
    case = gaussian_case(sigma=0.05, samples=1500)
    statistics = case.statistics(case.samples(Dds()))
    assert statistics.bias < 0.1
    assert 0.8 < statistics.variance_null < 1


@pytest.mark.parametrize("sampler", [Dds(), Dds(eta=0.5), replace(PUBLISHED, steps=20)])
def test_it_keeps_what_samplers_promise(check_sampler, sampler):
    check_sampler(sampler, residual=0.3)


def test_without_new_noise_only_the_beginning_is_random(gaussian_case):
    case, drawn = gaussian_case(samples=2), []

    def noise(like):
        drawn.append(like.shape)
        return like * 0 + 1

    for _ in Dds()(case.problem, case.prior, noise):
        pass
    assert drawn == [(2, 32)]
