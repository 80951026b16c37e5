"""Conjugate gradients for a batch of Hermitian positive semidefinite systems."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..operators.inner_product import inner


def conjugate_gradient(
    normal: Callable[[Tensor], Tensor],
    rhs: Tensor,
    *,
    start: Tensor | None = None,
    iterations: int,
    tolerance: float = 0.0,
) -> Tensor:
    """Solve ``normal(x) = rhs`` for every item of a batch, each with its own step lengths.

    M. R. Hestenes and E. Stiefel, J. Res. Natl. Bur. Stand. 49, 409 (1952). Inner products are Hermitian (r^H r), and
    so real where they are divided by. Only differentiable torch operations are used, so that networks can be trained
    through the iterations.

    Parameters
    ----------
    normal
        Applies a Hermitian positive semidefinite operator to each item of the batch, such as A^H A + lambda.
    rhs
        (batch, ...) real or complex.
    start
        (batch, ...) where to start; zeros by default.
    iterations
        Applications of ``normal`` after the first residual, at most.
    tolerance
        An item whose residual norm is at most this times the norm of its right-hand side stays as it is; so does one
        whose residual is below the resolution of its dtype.

    Returns
    -------
        (batch, ...) the solutions; an item that holds a value that is not finite comes back as such, beside sound ones.
    """
    x, residual = (torch.zeros_like(rhs), rhs) if start is None else (start, rhs - normal(start))
    return descend(normal, x, residual, rhs, iterations=iterations, tolerance=tolerance)[0]


def descend(
    normal: Callable[[Tensor], Tensor],
    x: Tensor,
    residual: Tensor,
    scale: Tensor,
    *,
    iterations: int,
    tolerance: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Go on from images whose residuals are known: ``conjugate_gradient`` without the application that finds them.

    Parameters
    ----------
    normal, iterations
        As above.
    x, residual
        (batch, ...) where to start, and what is left of the right-hand sides there.
    scale, tolerance
        As above, but that residual norms are compared with those of ``scale``, (batch, ...).

    Returns
    -------
        (batch, ...) the solutions, and their residuals.
    """
    item = (-1, *(1,) * (x.ndim - 1))
    direction = residual
    power = _squared_norm(residual)
    enough = max(tolerance, torch.finfo(x.dtype).eps) ** 2 * _squared_norm(scale)
    for _ in range(iterations):
        active = ~(power <= enough)  # also where it is NaN, which must not pass for convergence
        if tolerance > 0 and not active.any():  # the question makes a device wait: asked only where it can help
            break
        applied = normal(direction)
        curvature = inner(direction, applied)
        step = torch.where(active, power, 0) / torch.where(active, curvature, 1)
        x = torch.addcmul(x, step.view(item), direction)
        residual = torch.addcmul(residual, -step.view(item), applied)
        before, power = power, _squared_norm(residual)
        ratio = torch.where(active, power, 0) / torch.where(active, before, 1)
        direction = torch.addcmul(residual, ratio.view(item), direction)
    return x, residual


def _squared_norm(a: Tensor) -> Tensor:
    return inner(a, a)
