import pytest
import torch

from echotrain.models.operators.finite_differences import FiniteDifferences


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(("axes", "grid"), [((-2, -1), (8, 9)), ((-2, -1), (1, 3)), ((-3, -2, -1), (4, 3, 5))])
def test_differences_have_their_adjoint(axes, grid, periodic, check_adjoint):
    check_adjoint(FiniteDifferences(axes, periodic=periodic), (2, *grid), (2, len(axes), *grid))


def test_differences_from_slice_to_slice_have_their_adjoint(check_adjoint):
    check_adjoint(FiniteDifferences((-3,)), (2, 4, 3, 5), (2, 1, 4, 3, 5))


def test_a_ramp_has_constant_differences_and_none_at_a_free_boundary():
    ramp = 2.0 * torch.arange(4)[:, None] + 3j * torch.arange(5)
    along_y, along_x = FiniteDifferences()(ramp)
    torch.testing.assert_close(along_y[:-1], torch.full((3, 5), 2 + 0j))
    torch.testing.assert_close(along_x[:, :-1], torch.full((4, 4), 3j))
    assert not along_y[-1].any()
    assert not along_x[:, -1].any()


def test_at_a_periodic_boundary_the_last_neighbour_is_the_first():
    ramp = torch.arange(4.0)[:, None] + torch.zeros(5) + 0j
    along_y, along_x = FiniteDifferences(periodic=True)(ramp)
    torch.testing.assert_close(along_y[-1], torch.full((5,), -3 + 0j))
    assert not along_x.any()


def test_periodic_differences_are_diagonal_in_fourier_space():
    x = torch.randn(6, 7, dtype=torch.complex128)
    operator = FiniteDifferences(periodic=True)
    ky, kx = (2 * torch.pi * torch.arange(n, dtype=torch.float64) / n for n in (6, 7))
    eigenvalues = (4 - 2 * torch.cos(ky))[:, None] - 2 * torch.cos(kx)
    torch.testing.assert_close(operator.normal(x), torch.fft.ifft2(eigenvalues * torch.fft.fft2(x)))
