from dataclasses import replace

import pytest
import torch

from echotrain.models.operators.fourier import FourierOperator
from echotrain.models.operators.sampling import SamplingMask
from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.samplers.dds import PUBLISHED, Dds
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.inverse_problem import InverseProblem
from echotrain.models.samplers.noise import batch_noise


def test_as_published_samples_are_too_much_alike(gaussian_case):
    case = gaussian_case(sigma=0.05, samples=2000)
    statistics = case.statistics(case.samples(replace(PUBLISHED, gamma=5.0)))
    assert statistics.bias < 0.1
    assert 0.6 < statistics.variance_null < 0.8
    assert statistics.variance_measured < 0.1


def test_as_published_without_new_noise_the_measured_space_has_no_variance(gaussian_case):
    case = gaussian_case(sigma=0.05, samples=2000)
    statistics = case.statistics(case.samples(replace(PUBLISHED, gamma=5.0, eta=0.0)))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1
    assert statistics.variance_measured < 0.001


def test_matched_to_the_noise_samples_are_those_of_the_posterior(gaussian_case):
    case = gaussian_case(sigma=0.3, samples=1500)
    statistics = case.statistics(case.samples(Dds(steps=100, gamma="matched", eta=0.0, sigma_max=10.0)))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1.1
    assert 0.9 < statistics.variance_measured < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.05, 0.3])
def test_matched_to_the_noise_in_200_steps(gaussian_case, sigma):
    case = gaussian_case(sigma=sigma, samples=4000)
    statistics = case.statistics(case.samples(Dds(steps=200, gamma="matched", eta=0.0, sigma_max=10.0)))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1.1
    assert 0.9 < statistics.variance_measured < 1.1


@pytest.mark.parametrize("gamma", ["matched", "adaptive"])
def test_twenty_steps_are_as_unbiased_and_keep_most_of_the_variance(gaussian_case, gamma):
    case = gaussian_case(sigma=0.05, samples=2000)
    statistics = case.statistics(case.samples(Dds(gamma=gamma, eta=0.0)))
    assert statistics.bias < 0.1
    assert 0.8 < statistics.variance_null < 1
    assert 0.7 < statistics.variance_measured < 1.1


@pytest.mark.parametrize(("eta", "variance"), [(0.85, 0.67), (1.0, 0.44)])
def test_new_noise_costs_the_variance_that_is_stated(gaussian_case, eta, variance):
    case = gaussian_case(sigma=0.05, samples=2000)
    statistics = case.statistics(case.samples(Dds(eta=eta)))
    assert statistics.bias < 0.1
    assert statistics.variance_null == pytest.approx(variance, abs=0.03)


def test_adapting_to_the_denoiser_finds_the_posterior_of_a_prior_that_is_not_of_unit_variance():
    """Pixels of variance .02; of half of k-space, measured with noise of variance .04, a third is to be believed."""
    generator = torch.Generator().manual_seed(3)
    noise, size = batch_noise(generator), (100, 24, 24)
    prior = GaussianPrior(torch.zeros(576, dtype=torch.float64), 0.02 * torch.eye(576, dtype=torch.float64))
    operator = SamplingMask(torch.rand(24, 24, generator=generator) < 0.5) @ FourierOperator((-2, -1))
    truth = 0.02**0.5 * noise(torch.zeros(1, 24, 24, dtype=torch.complex128))
    y = operator(truth + 0.2 * noise(truth))
    problem = InverseProblem(operator, y.expand(size), 0.2, size)
    exact = 0.02 / (0.02 + 0.2**2) * operator.adjoint(y)

    def error(sampler):
        mean = draw(sampler, problem, prior, batch_noise(torch.Generator().manual_seed(0))).images.mean(dim=0)
        measured = operator.normal(mean[None])
        return float((measured - exact).norm() / exact.norm())

    assert error(Dds()) < 0.2
    assert error(Dds(gamma="matched")) > 0.25
    assert error(PUBLISHED) > 1


@pytest.mark.parametrize("sampler", [Dds(), Dds(gamma="matched", eta=0.0), replace(PUBLISHED, steps=20)])
def test_it_keeps_what_samplers_promise(check_sampler, sampler):
    check_sampler(sampler, residual=0.3)


def test_without_new_noise_only_the_beginning_is_random(gaussian_case):
    case, drawn = gaussian_case(samples=2), []

    def noise(like):
        drawn.append(like.shape)
        return like * 0 + 1

    for _ in Dds(gamma="matched", eta=0.0)(case.problem, case.prior, noise):
        pass
    assert drawn == [(2, 32)]
