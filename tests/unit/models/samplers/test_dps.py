from dataclasses import replace

import pytest
import torch

from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.samplers.dps import Dps, residual_gradient

WHITE = torch.ones(32, dtype=torch.float64)


@pytest.mark.parametrize(("zeta", "measured"), [(0.3, (0.7, 0.95)), (1.0, (8.0, 10.0))])
def test_zeta_and_not_the_noise_sets_the_variance_in_the_measured_space(gaussian_case, zeta, measured):
    case = gaussian_case()
    statistics = case.statistics(case.samples(Dps(steps=200, zeta=zeta)))
    assert statistics.bias < 0.1
    assert measured[0] < statistics.variance_measured < measured[1]
    assert 0.9 < statistics.variance_null < 1.1


@pytest.mark.slow
@pytest.mark.parametrize(("zeta", "measured"), [(0.3, (0.75, 0.9)), (1.0, (8.0, 10.0))])
def test_so_in_full_length_on_a_white_prior(gaussian_case, zeta, measured):
    case = gaussian_case(eigenvalues=WHITE)
    statistics = case.statistics(case.samples(Dps(zeta=zeta)))
    assert statistics.bias < 0.1
    assert measured[0] < statistics.variance_measured < measured[1]
    assert 0.9 < statistics.variance_null < 1.1


@pytest.mark.slow
def test_the_more_the_measurements_tell_of_the_rest_the_more_the_mean_is_off(gaussian_case):
    case = gaussian_case(eigenvalues=torch.logspace(0.2, -1, 32, dtype=torch.float64))
    assert 0.3 < case.statistics(case.samples(Dps())).bias < 0.7


def test_the_gradient_is_that_of_finite_differences_in_both_parts(sense_case):
    case, step = sense_case(2), 1e-6
    generator = torch.Generator().manual_seed(0)
    x, direction = (torch.randn(case.problem.shape, dtype=torch.complex128, generator=generator) for _ in range(2))

    def residual(at):
        return case.residuals(case.prior.denoise(at, torch.tensor(0.7))) * case.problem.y.flatten(1).norm(dim=1)

    _, gradient = residual_gradient(case.problem, case.prior, x, 0.7)
    slope = (residual(x + step * direction) - residual(x - step * direction)) / (2 * step)
    torch.testing.assert_close(
        torch.linalg.vecdot(gradient.flatten(1), direction.flatten(1)).real, slope, rtol=1e-6, atol=0
    )


def test_the_whole_sampler_is_differentiable(gaussian_case):
    case = gaussian_case(samples=1)

    def sample(y):
        *_, x = Dps(steps=3)(replace(case.problem, y=y), case.prior, torch.ones_like)
        return x

    assert torch.autograd.gradcheck(sample, case.problem.y.clone().requires_grad_())


def test_large_values_are_not_clipped(gaussian_case):
    case = gaussian_case(samples=50)
    prior = GaussianPrior(case.prior.mean + 5, case.prior.covariance)
    images = replace(case, prior=prior).samples(Dps(steps=50, zeta=0.0))
    assert abs(float(images.mean()) - 5) < 0.2


def test_a_prior_without_gradients_is_refused(gaussian_case):
    case = gaussian_case(samples=1)

    class Detached(GaussianPrior):
        def denoise(self, x, sigma):
            return super().denoise(x.detach(), sigma)

    with pytest.raises(ValueError, match="Detached gives no gradients"):
        replace(case, prior=Detached(case.prior.mean, case.prior.covariance)).samples(Dps(steps=1))


def test_it_keeps_what_samplers_promise(check_sampler):
    check_sampler(Dps(steps=60, zeta=1.0), residual=0.3)
