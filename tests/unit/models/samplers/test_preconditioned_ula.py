from dataclasses import replace

import pytest
import torch

from echotrain.models.samplers.noise import batch_noise
from echotrain.models.samplers.preconditioned_ula import PUBLISHED, PreconditionedUla


def test_a_hundred_evaluations_give_samples_of_the_posterior(gaussian_case):
    case = gaussian_case(sigma=0.3, samples=1500)
    assert PUBLISHED.evaluations == 100
    statistics = case.statistics(case.samples(PUBLISHED))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_measured < 1.1
    assert 1 < statistics.variance_null < 1.15


def test_low_noise_needs_no_other_step(gaussian_case):
    case = gaussian_case(sigma=0.05, samples=1500)
    statistics = case.statistics(case.samples(PUBLISHED))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_measured < 1.1


def test_its_noise_has_the_covariance_of_the_preconditioner(sense_case):
    """With y = 0 and a flat prior, x1 = (I - a P N / sigma_y^2) x0 + sqrt(2 a) P^(1/2) z, N = A^H A, x0 = sigma z."""

    class Flat:
        sigmas = (0.0, float("inf"))

        def denoise(self, x, _sigma):
            return x

    items, sigma, a = 2000, 0.5, 0.3
    problem = replace(sense_case(1).problem, sigma=0.2)
    problem = replace(problem, y=(0 * problem.y).expand(items, *problem.y.shape[1:]), shape=(items, 12, 12))
    sampler = replace(PUBLISHED, steps=1, updates=2, step=a, sigma_max=sigma, iterations=40, tolerance=1e-6)
    (x1,) = sampler(problem, Flat(), batch_noise(torch.Generator().manual_seed(0)))

    identity = torch.eye(144, dtype=torch.complex128)
    normal = problem.operator.normal(identity.reshape(144, 12, 12)).reshape(144, 144).T / problem.sigma**2
    preconditioner = torch.linalg.inv(normal + identity / sigma**2)
    kept = identity - a * preconditioner @ normal
    expected = sigma**2 * kept @ kept.mH + 2 * a * preconditioner
    _, directions = torch.linalg.eigh(expected)  # as different as the operator makes them
    measured = (x1.flatten(1) @ directions.conj()).abs().square().mean(dim=0) / 2
    ratio = measured / torch.linalg.vecdot(directions.T, (expected @ directions).T).real
    assert abs(float(ratio.mean()) - 1) < 0.01
    assert float((ratio - 1).abs().max()) < 0.1


@pytest.mark.parametrize("a", [0.3, 1.0])
def test_noise_is_what_the_denoiser_is_told_where_an_image_is_nothing_but_noise(gaussian_case, a):
    """With y = 0 and a prior of zero alone: variance sigma^2 in the null space; by Euler's method 2 / (2 - a) times."""
    case, seen = gaussian_case(samples=4000), []
    case = replace(case, problem=replace(case.problem, y=0 * case.problem.y))
    null = torch.linalg.svd(case.matrix).Vh[12:]

    class Zero:
        sigmas = (0.0, float("inf"))

        def denoise(self, x, sigma):
            seen.append(float((x @ null.T).var() / sigma**2))
            return torch.zeros_like(x)

    cold = PreconditionedUla(steps=1, updates=40, step=a, hot=False)
    replace(case, prior=Zero()).samples(cold)
    assert seen == pytest.approx([1] * 40, rel=0.03)
    replace(case, prior=Zero()).samples(replace(cold, integrator="euler"))
    assert seen[-1] == pytest.approx(2 / (2 - a), rel=0.03)


@pytest.mark.parametrize(("a", "variance"), [(0.5, 0.81), (1.0, 0.52)])
def test_that_costs_the_variance_that_is_stated(gaussian_case, a, variance):
    case = gaussian_case(sigma=0.3, samples=1500)
    sampler = PreconditionedUla(steps=200, step=a, sigma_max=10.0, hot=False)
    statistics = case.statistics(case.samples(sampler))
    assert statistics.bias < 0.1
    assert 1 - a / 2 < statistics.variance_null == pytest.approx(variance, abs=0.04)


@pytest.mark.parametrize("sampler", [PreconditionedUla(), replace(PUBLISHED, steps=40)])
def test_it_keeps_what_samplers_promise(check_sampler, sampler):
    check_sampler(sampler, residual=0.1)
