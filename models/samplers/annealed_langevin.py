"""Langevin dynamics at falling noise levels: samples of the posterior, if they fall slowly enough."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from ..priors.prior import Prior
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import noise_levels
from .score import denoised, score


@dataclass(frozen=True, kw_only=True)
class AnnealedLangevin:
    """Annealed Langevin dynamics with a likelihood that is as uncertain as the image is noisy.

    At each level sigma_t, a few steps

        x <- x + a (score - A^H (A x - y) / (sigma_y^2 + sigma_t^2)) + sqrt(2 a) z,   a = 2 (snr sigma_t)^2.

    A. Jalal et al., NeurIPS 2021 (arXiv:2108.01368), whose code normalises the gradient instead (``JalalLangevin``).
    sigma_t^2 in the likelihood stands for A times the noise of x. The levels are those with which G. Luo et al., Magn.
    Reson. Med. 90, 295 (2023), draw posterior samples for a mean and a map of uncertainty; with ``LUO`` the step is
    too. Theirs comes from norms of score and noise; here it comes from sigma_t, which those norms estimate.

    The variance of its samples is some 10% too large, as falling levels are followed with a lag: more updates at each
    level, or more levels, make that less.
    """

    steps: int = 100
    """Noise levels, from sigma_max to sigma_min in geometric progression."""
    updates: int = 5
    """Langevin updates at each level."""
    snr: float = 0.3
    """Of an update: below .5, so that it is stable where both prior and likelihood hold an image with 1 / sigma_t^2."""
    sigma_max: float = 5.0
    """Highest noise level, in the unit of the prior."""
    sigma_min: float = 0.005
    """Lowest noise level."""

    @property
    def evaluations(self) -> int:
        """One for every update."""
        return self.steps * self.updates

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``. What is yielded is D(x, sigma) before the last update of a level."""
        operator, zero_filled = problem.operator, problem.operator.adjoint(problem.y)
        x = self.sigma_max * noise(zero_filled)
        for sigma in noise_levels("geometric", self.steps, self.sigma_max, self.sigma_min).tolist():
            a, trust = 2 * (self.snr * sigma) ** 2, 1 / (problem.sigma**2 + sigma**2)
            for _ in range(self.updates):
                clean = denoised(prior, x, sigma)
                towards = score(clean, x, sigma) + trust * (zero_filled - operator.normal(x))
                x = x + a * towards + math.sqrt(2 * a) * noise(x)
            yield clean


LUO = AnnealedLangevin(snr=0.25)
"""The settings of Luo et al., 2023: 100 levels from 5 to .005, an snr of .25; their maps are of R = 10."""
