"""Priors whose denoiser, score and posterior are known exactly: to test samplers by, and to learn from."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .prior import per_item


class Normal(NamedTuple):
    """A normal distribution of flattened images."""

    mean: Tensor
    """(n,)."""
    covariance: Tensor
    """(n, n)."""


class GaussianPrior:
    """x ~ N(mean, covariance): D(x, sigma) = mean + C (C + sigma^2 I)^-1 (x - mean), the Wiener filter.

    Parameters
    ----------
    mean
        (n,) of the flattened image.
    covariance
        (n, n) Hermitian positive semidefinite. Of complex images: that of the real and of the imaginary part each,
        which are independent where it is real.
    """

    sigmas = (0.0, float("inf"))

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        self.mean, self.covariance = mean, covariance
        self._eigenvalues, self._eigenvectors = torch.linalg.eigh(covariance)

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return E[x0 | x]; see ``Prior``."""
        variance = per_item(sigma, x.flatten(1)).square()
        gain = self._eigenvalues / (self._eigenvalues + variance)
        centred = x.flatten(1) - self.mean
        vectors = self._eigenvectors.to(x.dtype)
        return (self.mean + (centred @ vectors.conj() * gain) @ vectors.T).reshape(x.shape)

    def posterior(self, matrix: Tensor, y: Tensor, sigma: float) -> Normal:
        """Return the distribution of x given y = matrix x + sigma n, n ~ N(0, 1) in each part.

        Parameters
        ----------
        matrix
            (m, n).
        y
            (m,), or (batch, m) for a mean each.
        sigma
            Standard deviation of the noise, above 0.
        """
        mean, covariance = self.mean.to(matrix.dtype), self.covariance.to(matrix.dtype)
        noise = sigma**2 * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
        gain = torch.linalg.solve(matrix @ covariance @ matrix.mH + noise, matrix @ covariance).mH
        return Normal(mean + (y - matrix @ mean) @ gain.T, covariance - gain @ matrix @ covariance)


class GaussianMixturePrior:
    """A weighted sum of isotropic normal distributions: the simplest prior of several modes.

    Parameters
    ----------
    means
        (components, n) of the flattened image.
    deviation
        Standard deviation of every coordinate in every component.
    weights
        (components,) positive, of sum 1.
    """

    sigmas = (0.0, float("inf"))

    def __init__(self, means: Tensor, deviation: float, weights: Tensor) -> None:
        self.means, self.deviation, self.weights = means, deviation, weights

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return E[x0 | x]; see ``Prior``."""
        variance = per_item(sigma, x.flatten(1)).square()
        total = self.deviation**2 + variance
        offset = x.flatten(1)[:, None] - self.means
        distance = (offset.abs().square()).sum(dim=-1)  # over both parts of complex numbers
        share = torch.softmax(self.weights.log() - distance / (2 * total), dim=1).to(x.dtype)
        gain = self.deviation**2 / total
        return (gain * x.flatten(1) + (1 - gain) * (share @ self.means.to(x.dtype))).reshape(x.shape)
