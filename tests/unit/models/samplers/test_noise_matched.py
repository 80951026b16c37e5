import pytest
import torch

from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.samplers.noise_matched import Regularised, matched_weight


def solved(operator, x0, y, weight, iterations):
    consistency = Regularised(operator, operator.adjoint(y), iterations)
    return consistency(x0, consistency.misfit(x0), weight)


@pytest.mark.parametrize("weight", [0.01, 1.0])
def test_many_iterations_are_a_dense_solve(sense_case, weight):
    problem = sense_case(2).problem
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(problem.shape, dtype=torch.complex128, generator=generator)
    units = torch.eye(144, dtype=torch.complex128).reshape(144, 12, 12)
    normal = problem.operator.normal(units).flatten(1).T
    system = normal + weight * torch.eye(144)
    expected = torch.linalg.solve(system, (problem.operator.adjoint(problem.y) + weight * x0).flatten(1).T).T.reshape(
        problem.shape
    )
    found = solved(problem.operator, x0, problem.y, weight, 150)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-7)


def test_the_second_image_starts_from_what_the_first_lacked_and_needs_no_more_applications(sense_case, monkeypatch):
    problem = sense_case(2).problem
    generator = torch.Generator().manual_seed(0)
    first, change = (torch.randn(problem.shape, dtype=torch.complex128, generator=generator) for _ in range(2))
    second = first + 0.01 * change
    exact = solved(problem.operator, second, problem.y, 0.02, 150)
    applied = []

    def counted(x):
        applied.append(x)
        return normal(x)

    normal = problem.operator.normal
    monkeypatch.setattr(problem.operator, "normal", counted)
    errors = {}
    for warm in (True, False):
        consistency = Regularised(problem.operator, problem.operator.adjoint(problem.y), 4, warm=warm)
        consistency(first, consistency.misfit(first), 0.03)
        applied.clear()
        errors[warm] = (consistency(second, consistency.misfit(second), 0.02) - exact).norm()
        assert len(applied) == 5
    assert errors[True] < 0.5 * errors[False]


def test_one_iteration_is_exact_for_orthonormal_rows(gaussian_case):
    case = gaussian_case(samples=2)
    x0 = torch.randn(2, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y, operator = case.problem.y, case.problem.operator
    expected = x0 + operator.adjoint(y - operator(x0)) / 1.25
    torch.testing.assert_close(solved(operator, x0, y, 0.25, 1), expected)


def test_without_weight_the_closest_image_that_fits_is_found(gaussian_case):
    case = gaussian_case(samples=2)
    x0 = torch.randn(2, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y, operator = case.problem.y, case.problem.operator
    closest = solved(operator, x0, y, 0.0, 1)
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
    mean = solved(operator, prior.denoise(x, sigma), case.problem.y, weight, 1)
    torch.testing.assert_close(mean, posterior.denoise(x, sigma))
