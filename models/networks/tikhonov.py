"""Data consistency by a linear solve: the image that fits the measurements and stays near another image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..classical.conjugate_gradient import conjugate_gradient
from ..operators.sense import SenseOperator


def nearest_consistent(
    operator: SenseOperator, back_projected: Tensor, image: Tensor, weight: Tensor, iterations: int
) -> Tensor:
    """Return the minimiser of ``norm(A x - y)^2 + weight norm(x - image)^2`` by conjugate gradients from ``image``.

    H. K. Aggarwal et al., IEEE Trans. Med. Imaging 38, 394 (2019), equation 9. The gradient is that of the exact
    minimiser, x = (A^H A + weight)^-1 (A^H y + weight image), by a second solve with the same matrix (ibid., section
    III.C): memory does not grow with the iterations, and unlike the derivative of the iterations, which divides by
    residual norms, it stays finite where they have converged. It is as accurate as the solves are.

    Parameters
    ----------
    operator
        A.
    back_projected
        A^H y, (batch, y, x) complex.
    image
        (batch, y, x) complex.
    weight
        Positive, () or for each image, (batch, 1, 1).
    iterations
        Of conjugate gradients, in either direction.

    Returns
    -------
        (batch, y, x) complex; gradients flow to ``back_projected``, ``image``, ``weight`` and the maps of the operator.
    """
    fixed = weight.detach()

    def system(x: Tensor) -> Tensor:
        return operator.normal(x) + fixed * x

    rhs = back_projected + weight * image
    with torch.no_grad():
        solution = conjugate_gradient(system, rhs, start=image, iterations=iterations)
    if not torch.is_grad_enabled():  # what follows is for gradients alone
        return solution
    residual = rhs - (operator.normal(solution) + weight * solution)

    def solve(gradient: Tensor) -> Tensor:
        return conjugate_gradient(system, gradient, iterations=iterations)

    implicit: Tensor = _Implicit.apply(residual, solution, solve)  # type: ignore[no-untyped-call]
    return implicit


class _Implicit(torch.autograd.Function):
    """The solution x of r(x, parameters) = 0 as a function of r at that x, held fixed: its derivative is the inverse.

    A residual of b - K x with x held fixed has the derivative db - dK x, and dx = K^-1 (db - dK x). Its value is not
    used, only what it was computed from.
    """

    @staticmethod
    def forward(ctx: Any, _residual: Tensor, solution: Tensor, solve: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.solve = solve
        return solution.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.solve(gradient[0]), None, None
