from dataclasses import replace

import pytest
import torch

from echotrain.models.samplers.ddim import Ddim
from echotrain.models.samplers.heun import Heun


@pytest.mark.parametrize("sampler", [Heun(steps=40), Heun(steps=40, churn=10.0)])
def test_samples_are_those_of_the_posterior(gaussian_case, sampler):
    case = gaussian_case(sigma=0.3, samples=1500)
    statistics = case.statistics(case.samples(sampler))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1.1
    assert 0.9 < statistics.variance_measured < 1.1


def test_it_solves_the_probability_flow_to_second_order(gaussian_case):
    """For a Gaussian prior the flow scales each principal axis by sqrt(c / (c + sigma^2))."""
    case = gaussian_case(samples=4)
    eigenvalues, axes = torch.linalg.eigh(case.prior.covariance)

    def noise(like):
        return torch.randn(like.shape, dtype=like.dtype, generator=torch.Generator().manual_seed(0))

    gain = (eigenvalues / (eigenvalues + 100)).sqrt()
    exact = (10 * noise(torch.zeros(4, 32, dtype=torch.float64)) @ axes * gain) @ axes.T

    def error(sampler):
        *_, sample = sampler(case.problem, case.prior, noise)
        return float((sample - exact).norm() / exact.norm())

    heun = Heun(iterations=0, sigma_min=0.002)
    errors = [error(replace(heun, steps=steps)) for steps in (40, 80)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)
    euler = [error(Ddim(steps=steps, sigma_max=10.0, sigma_min=0.002, schedule="edm")) for steps in (80, 160)]
    assert euler[0] / euler[1] == pytest.approx(2, rel=0.1)
    assert errors[0] < euler[0] / 4  # with as many evaluations


@pytest.mark.parametrize("sampler", [Heun(), Heun(churn=3.0, churn_max=5.0)])
def test_it_keeps_what_samplers_promise(check_sampler, sampler):
    check_sampler(sampler, residual=0.3)
