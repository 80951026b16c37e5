"""Data consistency that leaves samples their spread: the mean of an image given it noisy and measured."""

from __future__ import annotations

import torch
from torch import Tensor

from ..classical.conjugate_gradient import conjugate_gradient
from ..operators.linear_operator import LinearOperator


def regularised(
    operator: LinearOperator,
    x0: Tensor,
    zero_filled: Tensor,
    weight: float | Tensor,
    iterations: int,
    start: Tensor | None = None,
) -> Tensor:
    """Return argmin over x of ||A x - y||^2 + weight ||x - x0||^2, by conjugate gradients.

    Parameters
    ----------
    operator
        A.
    x0
        (batch, ...) denoised images.
    zero_filled
        A^H y, of the shape of x0.
    weight
        At least 0, for all items or (batch, 1, ...). At 0: of the images that fit the measurements, the closest to x0.
    iterations
        Of conjugate gradients. For A A^H a projection, 1 is exact; for several coils few leave the solution near the
        start.
    start
        (batch, ...) where they start; x0 by default.
    """
    return conjugate_gradient(
        lambda x: operator.normal(x) + weight * x,
        zero_filled + weight * x0,
        start=x0 if start is None else start,
        iterations=iterations,
        # below it a residual is rounding, which the smallest eigenvalue, the weight, would magnify
        tolerance=30 * torch.finfo(x0.dtype).eps,
    )


def matched_weight(sigma: float, noise: float) -> float:
    """Return sigma_y^2 / r^2 with r^2 = sigma^2 / (1 + sigma^2): as much as noise and denoiser deserve.

    r^2 is Cov[x0 | x] of a prior N(mean, I), for which ``regularised`` then gives E[x0 | x, y] exactly: a prior in a
    unit in which its variance is about 1. J. Song et al., Pseudoinverse-guided diffusion models, ICLR 2023.

    Parameters
    ----------
    sigma
        Noise level of x, above 0.
    noise
        sigma_y, of the measurements.
    """
    return noise**2 * (1 + sigma**-2)
