import pytest
import torch

from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.samplers.noise_matched import matched_weight, regularised


@pytest.mark.parametrize("weight", [0.01, 1.0])
def test_many_iterations_are_a_dense_solve(sense_case, weight):
    problem = sense_case(2).problem
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(problem.shape, dtype=torch.complex128, generator=generator)
    zero_filled = problem.operator.adjoint(problem.y)
    units = torch.eye(144, dtype=torch.complex128).reshape(144, 12, 12)
    normal = problem.operator.normal(units).flatten(1).T
    system = normal + weight * torch.eye(144)
    expected = torch.linalg.solve(system, (zero_filled + weight * x0).flatten(1).T).T.reshape(problem.shape)
    for start in (None, torch.zeros_like(x0)):
        solved = regularised(problem.operator, x0, zero_filled, weight, 150, start)
        torch.testing.assert_close(solved, expected, rtol=1e-7, atol=1e-7)


def test_one_iteration_is_exact_for_orthonormal_rows(gaussian_case):
    case = gaussian_case(samples=2)
    x0 = torch.randn(2, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y, operator = case.problem.y, case.problem.operator
    expected = x0 + operator.adjoint(y - operator(x0)) / 1.25
    torch.testing.assert_close(regularised(operator, x0, operator.adjoint(y), 0.25, 1), expected)


def test_without_weight_the_closest_image_that_fits_is_found(gaussian_case):
    case = gaussian_case(samples=2)
    x0 = torch.randn(2, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y, operator = case.problem.y, case.problem.operator
    closest = regularised(operator, x0, operator.adjoint(y), 0.0, 1)
    torch.testing.assert_close(operator(closest), y)
    torch.testing.assert_close(closest - x0, operator.normal(closest - x0))


def test_for_a_prior_of_unit_variance_it_is_the_conditional_mean(gaussian_case):
    case = gaussian_case(samples=3)
    prior = GaussianPrior(torch.zeros(32, dtype=torch.float64), torch.eye(32, dtype=torch.float64))
    posterior = GaussianPrior(*prior.posterior(case.matrix, case.problem.y, 0.05))
    sigma = torch.tensor(0.7, dtype=torch.float64)
    x = torch.randn(3, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    operator = case.problem.operator
    weight = matched_weight(0.7, 0.05)
    mean = regularised(operator, prior.denoise(x, sigma), operator.adjoint(case.problem.y), weight, 1)
    torch.testing.assert_close(mean, posterior.denoise(x, sigma))
