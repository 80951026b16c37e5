from dataclasses import replace

import pytest
import torch

from echotrain.models.samplers.dds import PUBLISHED, Dds
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.noise import batch_noise


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
    statistics = case.statistics(case.samples(Dds(steps=100, gamma="matched")))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1.1
    assert 0.9 < statistics.variance_measured < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.05, 0.3])
def test_matched_to_the_noise_in_200_steps(gaussian_case, sigma):
    case = gaussian_case(sigma=sigma, samples=4000)
    statistics = case.statistics(case.samples(Dds(steps=200, gamma="matched")))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1.1
    assert 0.9 < statistics.variance_measured < 1.1


@pytest.mark.parametrize("gamma", ["matched", "adaptive"])
def test_twenty_steps_are_as_unbiased_and_keep_most_of_the_variance(gaussian_case, gamma):
    case = gaussian_case(sigma=0.05, samples=2000)
    statistics = case.statistics(case.samples(Dds(gamma=gamma)))
    assert statistics.bias < 0.1
    assert 0.8 < statistics.variance_null < 1
    assert 0.7 < statistics.variance_measured < 1.1


@pytest.mark.parametrize("sigma", [0.02, 0.3])
def test_adapting_to_the_denoiser_comes_closest_where_images_are_known_better_than_a_unit_prior_says(sense_case, sigma):
    """The mean of samples beside the exact one, by a prior that is smooth and varies little."""
    case = sense_case(1, sigma)
    problem = case.problem
    many = replace(problem, y=problem.y.expand(400, -1, -1, -1), shape=(400, 12, 12))
    units = torch.eye(144, dtype=torch.complex128).reshape(144, 12, 12)
    exact = case.prior.posterior(problem.operator(units).flatten(1).T, problem.y.flatten(1), sigma).mean

    def error(sampler):
        samples = draw(sampler, many, case.prior, batch_noise(torch.Generator().manual_seed(0))).images
        return float((samples.mean(dim=0).flatten() - exact).norm() / exact.norm())

    adaptive = error(Dds(iterations=50))
    assert adaptive < error(Dds(gamma="matched", iterations=50))
    assert adaptive < error(PUBLISHED)


@pytest.mark.parametrize("sampler", [Dds(), Dds(gamma="matched", eta=0.5), replace(PUBLISHED, steps=20)])
def test_it_keeps_what_samplers_promise(check_sampler, sampler):
    check_sampler(sampler, residual=0.3)


def test_without_new_noise_only_the_beginning_is_random(gaussian_case):
    case, drawn = gaussian_case(samples=2), []

    def noise(like):
        drawn.append(like.shape)
        return like * 0 + 1

    for _ in Dds(gamma="matched")(case.problem, case.prior, noise):
        pass
    assert drawn == [(2, 32)]
