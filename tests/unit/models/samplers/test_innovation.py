from dataclasses import replace

import pytest
import torch

from echotrain.models.samplers.innovation import Innovation
from echotrain.models.samplers.noise import batch_noise


@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_it_finds_the_variance_that_denoising_leaves_in_what_is_measured(sense_case, sigma):
    case = sense_case(400, sigma=0.05)
    noise = batch_noise(torch.Generator().manual_seed(0))
    root = torch.linalg.cholesky(case.prior.covariance).T.to(torch.complex128)
    truth = (noise(torch.zeros(400, 144, dtype=torch.complex128)) @ root).reshape(400, 12, 12)
    clean = case.problem.operator(truth)
    problem = replace(case.problem, y=clean + 0.05 * (case.problem.y != 0) * noise(clean))
    x0 = case.prior.denoise(truth + sigma * noise(truth), torch.tensor(sigma, dtype=torch.float64))
    innovation = Innovation(problem, problem.operator.adjoint(problem.y), noise)

    eigenvalues, axes = torch.linalg.eigh(case.prior.covariance)
    left = (axes * (eigenvalues * sigma**2 / (eigenvalues + sigma**2))) @ axes.T
    units = torch.eye(144, dtype=torch.complex128).reshape(144, 12, 12)
    normal = problem.operator.normal(units).flatten(1).T
    expected = float((normal @ left.to(normal.dtype)).trace().real / normal.trace().real)
    zero_filled = problem.operator.adjoint(problem.y)
    estimated = innovation.variance(x0, zero_filled - problem.operator.normal(x0), sigma)
    assert estimated.shape == (400, 1, 1)
    assert float(estimated.mean()) == pytest.approx(expected, rel=0.05)


def test_it_stays_within_what_can_be(gaussian_case):
    case = gaussian_case(samples=2)
    zero_filled = case.problem.operator.adjoint(case.problem.y)
    innovation = Innovation(case.problem, zero_filled, batch_noise(torch.Generator().manual_seed(0)))
    perfect, wrong = zero_filled[:1], zero_filled[:1] + 100
    both = torch.cat((perfect, wrong))
    misfit = zero_filled[:1] - case.problem.operator.normal(both)
    low, high = innovation.variance(both, misfit, 0.5).flatten().tolist()
    assert low == pytest.approx(0.01 * 0.25 / 1.25)
    assert high == 0.25


def test_nothing_measured_is_no_division_by_zero(gaussian_case):
    case = gaussian_case(samples=2)
    empty = replace(case.problem, y=torch.zeros_like(case.problem.y))
    zeros = torch.zeros(2, 32, dtype=torch.float64)
    innovation = Innovation(empty, zeros, torch.zeros_like)
    assert innovation.variance(zeros, zeros, 1.0).isfinite().all()
