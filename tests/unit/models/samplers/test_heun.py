from dataclasses import replace

import pytest
import torch

from echotrain.models.samplers.ddim import Ddim
from echotrain.models.samplers.heun import Heun
from echotrain.models.samplers.schedules import noise_levels

COLD = Heun(steps=40, churn=0.0, hot=False, sigma_max=10.0)


@pytest.mark.parametrize("churn", [0.0, 10.0])
def test_samples_are_those_of_the_posterior(gaussian_case, churn):
    case = gaussian_case(sigma=0.3, samples=1500)
    statistics = case.statistics(case.samples(replace(COLD, gamma="matched", churn=churn)))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1.1
    assert 0.9 < statistics.variance_measured < 1.1


def test_adapting_to_twelve_measurements_leaves_the_mean_and_the_null_space_as_they_are(gaussian_case):
    case = gaussian_case(sigma=0.3, samples=1500)
    statistics = case.statistics(case.samples(COLD))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1.1


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

    heun = replace(COLD, iterations=0, sigma_min=0.002)
    errors = [error(replace(heun, steps=steps)) for steps in (40, 80)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)
    euler = [error(Ddim(steps=steps, sigma_max=10.0, sigma_min=0.002, schedule="edm")) for steps in (80, 160)]
    assert euler[0] / euler[1] == pytest.approx(2, rel=0.1)
    assert errors[0] < euler[0] / 4  # with as many evaluations


def test_churn_never_goes_above_the_first_level(sense_case):
    case, asked = sense_case(1), []

    class Asked:
        sigmas = case.prior.sigmas

        def denoise(self, x, sigma):
            asked.append(float(sigma))
            return case.prior.denoise(x, sigma)

    for _ in Heun(steps=6)(case.problem, Asked(), torch.randn_like):
        pass
    assert max(asked) == pytest.approx(0.4)
    levels = noise_levels("edm", 6, 0.4, 0.01).tolist()
    assert asked[2] == pytest.approx(min(2**0.5 * levels[1], 0.4))


@pytest.mark.parametrize("sampler", [Heun(), COLD, Heun(churn=3.0, churn_max=5.0, gamma="matched")])
def test_it_keeps_what_samplers_promise(check_sampler, sampler):
    check_sampler(sampler, residual=0.3)
