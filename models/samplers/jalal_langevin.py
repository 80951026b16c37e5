"""Annealed Langevin dynamics as its authors ran it: with a normalised gradient of the data term."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..priors.prior import Prior
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import noise_levels
from .score import denoised, norms, score


@dataclass(frozen=True, kw_only=True)
class JalalLangevin:
    """CSGM-Langevin as published: A. Jalal et al., NeurIPS 2021 (arXiv:2108.01368), and its settings.

    At each level sigma, a few updates

        x <- x + a (s - weight ||s|| g / ||g||) + sqrt(2 a) z,   s the score, g = A^H (A x - y), a = step sigma^2.

    No posterior sampler: the pull towards the measurements is always ``weight`` times as strong as that of the prior,
    whether they are far or near, and does not know how noisy they are. Its samples say nothing of uncertainty;
    ``AnnealedLangevin`` is the same with the likelihood's own gradient. Differences to published code: norms are each
    image's own, not the batch's; it starts at noise of the first level, not at uniform random numbers; the last
    update is replaced by the denoiser.
    """

    steps: int = 1156
    """Noise levels, from sigma_max to sigma_min in geometric progression."""
    updates: int = 3
    """Langevin updates at each level."""
    step: float = 0.02
    """a / sigma^2: 9e-7 at the lowest level of .0066."""
    weight: float = 5.0
    """Pull of the measurements over that of the prior."""
    sigma_max: float = 1.24
    """Highest noise level, in the unit of the prior: number 1,155 of 2,311 between 232 and .0066."""
    sigma_min: float = 0.0066
    """Lowest noise level."""

    @property
    def evaluations(self) -> int:
        """One for every update."""
        return self.steps * self.updates

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``. What is yielded is D(x, sigma) before the last update of a level."""
        operator, zero_filled = problem.operator, problem.operator.adjoint(problem.y)
        smallest = torch.finfo(zero_filled.dtype).tiny  # no pull where nothing was measured
        x = self.sigma_max * noise(zero_filled)
        for sigma in noise_levels("geometric", self.steps, self.sigma_max, self.sigma_min).tolist():
            a = self.step * sigma**2
            for _ in range(self.updates):
                clean = denoised(prior, x, sigma)
                s, g = score(clean, x, sigma), operator.normal(x) - zero_filled
                pull = self.weight * norms(s) * (g / norms(g).clamp(min=smallest))
                x = x + a * (s - pull) + math.sqrt(2 * a) * noise(x)
            yield clean
