"""The norm of an operator, by power iteration."""

from __future__ import annotations

import torch

from .linear_operator import LinearOperator


def operator_norm(
    operator: LinearOperator,
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    iterations: int = 30,
    dtype: torch.dtype = torch.complex64,
) -> float:
    """Estimate the largest singular value from below: the norm of A^H A applied over and over to a random vector.

    Parameters
    ----------
    operator
        A, on the generator's device.
    shape
        Of what A is applied to, batch included.
    generator
        Draws the first vector: the same seed gives the same estimate.
    iterations
        Applications of A^H A. For n unknowns the relative error of the squared norm is expected to be below
        .871 ln(n) / (iterations - 1), whatever A is, and mostly is far below (J. Kuczynski and H. Wozniakowski, SIAM
        J. Matrix Anal. Appl. 13, 1094 (1992)).
    dtype
        Of what A is applied to.

    Returns
    -------
        The norm, 0 for the zero operator.
    """
    x = torch.randn(shape, dtype=dtype, device=generator.device, generator=generator)
    eigenvalue = x.new_zeros((), dtype=x.real.dtype)
    for _ in range(iterations):
        x = x / x.norm().clamp(min=torch.finfo(x.dtype).tiny)
        x = operator.normal(x)
        eigenvalue = x.norm()
    return float(eigenvalue.sqrt())
