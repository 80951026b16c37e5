"""Conjugate gradients against dense solves."""

import pytest
import torch

from echotrain.models.classical.conjugate_gradient import conjugate_gradient


@pytest.fixture
def systems():
    """Three well conditioned Hermitian systems of very different scale: matrices (3, 8, 8), right-hand sides (3, 8)."""
    generator = torch.Generator().manual_seed(1)
    factors = torch.randn(3, 8, 8, dtype=torch.complex128, generator=generator)
    scales = torch.tensor([1e-3, 1.0, 1e4])[:, None, None]
    matrices = scales * (factors.mH @ factors + torch.eye(8))
    return matrices, torch.randn(3, 8, dtype=torch.complex128, generator=generator)


def applied(matrices):
    return lambda x: torch.einsum("bij,bj->bi", matrices, x)


def test_enough_iterations_solve_each_system_of_a_batch(systems):
    matrices, rhs = systems
    found = conjugate_gradient(applied(matrices), rhs, iterations=12)
    torch.testing.assert_close(found, torch.linalg.solve(matrices, rhs), rtol=1e-8, atol=0)


def test_few_iterations_from_a_start_minimise_the_error_over_their_krylov_space(systems):
    matrices, rhs = systems
    start = torch.randn(3, 8, dtype=torch.complex128, generator=torch.Generator().manual_seed(2))
    found = conjugate_gradient(applied(matrices), rhs, start=start, iterations=3)
    for matrix, b, s, x in zip(matrices, rhs, start, found, strict=True):
        residual = b - matrix @ s
        krylov = torch.stack([torch.linalg.matrix_power(matrix / matrix.norm(), n) @ residual for n in range(3)], dim=1)
        best = s + krylov @ torch.linalg.solve(krylov.mH @ matrix @ krylov, krylov.mH @ residual)
        torch.testing.assert_close(x, best, rtol=1e-7, atol=1e-9)


def test_an_item_is_solved_alike_alone_and_in_a_batch(systems):
    matrices, rhs = systems
    together = conjugate_gradient(applied(matrices), rhs, iterations=4)
    alone = conjugate_gradient(applied(matrices[1:2]), rhs[1:2], iterations=4)
    torch.testing.assert_close(together[1:2], alone, rtol=1e-12, atol=0)


def test_a_solved_item_stays_as_it_is_while_others_go_on(systems):
    matrices, rhs = systems
    start = torch.linalg.solve(matrices, rhs)
    start[1:] = 0
    found = conjugate_gradient(applied(matrices), rhs, start=start, iterations=20, tolerance=1e-6)
    assert torch.equal(found[0], start[0])
    error = torch.einsum("bij,bj->bi", matrices, found) - rhs
    assert (error.norm(dim=1) <= 1e-6 * rhs.norm(dim=1)).all()


def test_iterations_end_once_all_have_converged(systems):
    matrices, rhs = systems
    calls = []

    def counted(x):
        calls.append(x)
        return applied(matrices)(x)

    conjugate_gradient(counted, rhs, iterations=1000, tolerance=1e-3)
    assert len(calls) <= 9


def test_zeros_give_zeros_and_a_nan_stays_in_its_item(systems):
    matrices, rhs = systems
    rhs[0], rhs[2, 3] = 0, torch.nan
    found = conjugate_gradient(applied(matrices), rhs, iterations=12)
    assert torch.equal(found[0], torch.zeros_like(found[0]))
    torch.testing.assert_close(found[1], torch.linalg.solve(matrices[1], rhs[1]))
    assert found[2].isnan().all()


def test_gradients_flow_through_the_iterations(systems):
    matrices, rhs = systems
    matrices, rhs = matrices[1:2, :3, :3], rhs[1:2, :3].clone().requires_grad_()
    weight = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)

    def solve(b, w):
        return conjugate_gradient(lambda x: applied(matrices)(x) + w * x, b, iterations=2)

    torch.autograd.gradcheck(solve, (rhs, weight))


def test_iterations_far_beyond_convergence_do_no_harm():
    rhs = torch.full((1, 4), 3 - 2j, dtype=torch.complex64)
    found = conjugate_gradient(lambda x: 0.3 * x, rhs, iterations=200)
    torch.testing.assert_close(found, rhs / 0.3)
