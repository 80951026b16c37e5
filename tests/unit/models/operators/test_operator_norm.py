import pytest
import torch

from echotrain.models.operators.finite_differences import FiniteDifferences
from echotrain.models.operators.linear_operator import LinearOperator
from echotrain.models.operators.operator_norm import operator_norm


class Matrix(LinearOperator):
    def __init__(self, matrix):
        self.matrix = matrix

    def __call__(self, x, /):
        return self.matrix @ x

    def adjoint(self, y, /):
        return self.matrix.mH @ y


def test_the_norm_of_a_matrix_is_its_largest_singular_value():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(9, 7, dtype=torch.complex128, generator=generator)
    found = operator_norm(Matrix(matrix), (7,), generator, iterations=200, dtype=torch.complex128)
    assert found == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)), rel=1e-6)


def test_the_norm_of_periodic_differences_is_known():
    found = operator_norm(FiniteDifferences(periodic=True), (8, 8), torch.Generator().manual_seed(0), iterations=100)
    assert found == pytest.approx(8**0.5, rel=1e-3)


def test_the_same_seed_gives_the_same_estimate_and_the_zero_operator_has_norm_zero():
    one, other = (operator_norm(FiniteDifferences(), (6, 5), torch.Generator().manual_seed(3)) for _ in range(2))
    assert one == other
    assert operator_norm(Matrix(torch.zeros(3, 3) + 0j), (3,), torch.Generator().manual_seed(0)) == 0
