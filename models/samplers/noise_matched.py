"""Data consistency that leaves samples their spread: the mean of an image given it noisy and measured."""

from __future__ import annotations

import torch
from torch import Tensor

from ..classical.conjugate_gradient import descend
from ..operators.linear_operator import LinearOperator


class Regularised:
    """Finds argmin over x of ||A x - y||^2 + weight ||x - x0||^2 for one x0 after another, by conjugate gradients.

    What x0 lacks, c = x - x0, solves (A^H A + weight) c = A^H (y - A x0). From one x0 to the next it changes little:
    conjugate gradients start from the last c. As their last residual tells A^H A c, that takes one application of
    A^H A to x0, of use elsewhere too (``Innovation``), and one an iteration.

    Parameters
    ----------
    operator
        A.
    zero_filled
        A^H y, (batch, ...).
    iterations
        Of conjugate gradients. For A A^H a projection, 1 is exact; for several coils few leave the solution near the
        start.
    warm
        Whether they start from the last c; otherwise from x0.
    """

    def __init__(self, operator: LinearOperator, zero_filled: Tensor, iterations: int, *, warm: bool = True) -> None:
        self._operator, self._zero_filled, self._iterations, self._warm = operator, zero_filled, iterations, warm
        self._correction = self._applied = torch.zeros_like(zero_filled)  # c, A^H A c

    def misfit(self, x0: Tensor) -> Tensor:
        """Return A^H (y - A x0)."""
        return self._zero_filled - self._operator.normal(x0)

    def __call__(self, x0: Tensor, misfit: Tensor, weight: float | Tensor) -> Tensor:
        """Return the solution.

        Parameters
        ----------
        x0
            (batch, ...) denoised images.
        misfit
            Theirs.
        weight
            At least 0, for all items or (batch, 1, ...). At 0: of the images that fit the measurements, the closest to
            x0 (if it starts there).
        """
        correction, residual = descend(
            lambda x: self._operator.normal(x) + weight * x,
            self._correction,
            misfit - self._applied - weight * self._correction,
            self._zero_filled,
            iterations=self._iterations,
            # below it a residual is rounding, which the smallest eigenvalue, the weight, would magnify
            tolerance=30 * torch.finfo(x0.dtype).eps,
        )
        if self._warm:
            self._correction, self._applied = correction, misfit - residual - weight * correction
        return x0 + correction


def matched_weight(sigma: float, noise: float) -> float:
    """Return sigma_y^2 / r^2 with r^2 = sigma^2 / (1 + sigma^2): as much as noise and denoiser deserve.

    r^2 is Cov[x0 | x] of a prior N(mean, I), for which ``Regularised`` then gives E[x0 | x, y] exactly: a prior in a
    unit in which its variance is about 1. J. Song et al., Pseudoinverse-guided diffusion models, ICLR 2023.

    Parameters
    ----------
    sigma
        Noise level of x, above 0.
    noise
        sigma_y, of the measurements.
    """
    return noise**2 * (1 + sigma**-2)
