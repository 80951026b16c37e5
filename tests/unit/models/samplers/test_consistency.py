import torch

from echotrain.models.samplers.consistency import consistent


def test_of_orthonormal_rows_what_was_measured_is_replaced_and_nothing_else(gaussian_case):
    case = gaussian_case(samples=3)
    operator, y = case.problem.operator, case.problem.y
    x, z = (torch.randn(3, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    for weight in (0.0, 0.3, 1.0):
        pulled = consistent(operator, x, operator.adjoint(y), weight, z)
        torch.testing.assert_close(operator(pulled), (1 - weight) * operator(x) + weight * (y + operator(z)))
        torch.testing.assert_close(pulled - operator.normal(pulled), x - operator.normal(x))


def test_of_several_coils_the_residual_falls(sense_case):
    case = sense_case(2)
    x = torch.zeros(case.problem.shape, dtype=torch.complex128)
    residuals = [case.residuals(x)]
    for _ in range(5):
        x = consistent(case.problem.operator, x, case.problem.operator.adjoint(case.problem.y), 1.0)
        residuals.append(case.residuals(x))
    assert (torch.stack(residuals).diff(dim=0) < 0).all()
