"""Pulling images towards what was measured."""

from __future__ import annotations

from torch import Tensor

from ..operators.linear_operator import LinearOperator


def consistent(
    operator: LinearOperator, x: Tensor, zero_filled: Tensor, weight: float, noise: Tensor | None = None
) -> Tensor:
    """Return x + weight A^H (y_t - A x), where y_t = y + A noise are measurements as noisy as x.

    Y. Song et al., ICLR 2022 (arXiv:2111.08005): for A A^H a projection (one coil, orthonormal rows) it puts
    (1 - weight) A x + weight y_t in the place of what was measured, exactly. For several coils, where A^H A has
    eigenvalues between 0 and 1, it is the step of H. Chung and J. C. Ye, Med. Image Anal. 80, 102479 (2022): each
    application brings A x closer to y_t, as far as those eigenvalues allow.

    Parameters
    ----------
    operator
        A, of a norm of at most 1.
    x
        (batch, ...) images.
    zero_filled
        A^H y, of the shape of x.
    weight
        0 leaves x as it is, 1 trusts the measurements alone.
    noise
        What x holds of noise, distributed so but drawn anew; none for noise-free images.
    """
    return x + weight * (zero_filled - operator.normal(x if noise is None else x - noise))
