"""The variance-exploding SDE, backwards in time by predictor and corrector, kept consistent with the measurements."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from ..priors.prior import Prior
from .consistency import consistent
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import descent
from .score import denoised, norms, parts, score


@dataclass(frozen=True, kw_only=True)
class PredictorCorrector:
    """Predictor-corrector sampling: Y. Song et al., ICLR 2021 (arXiv:2011.13456), Algorithms 2 and 4.

    With the data consistency of Song et al., ICLR 2022 (arXiv:2111.08005), and, by default, the settings of T. Han et
    al., On Instabilities of Unsupervised Denoising Diffusion Models in MRI Reconstruction, MICCAI 2024, which were
    tuned for magnitude images of brain tumours. ``SCORE_MRI`` has those of H. Chung and J. C. Ye, 2022.

    The last predictor goes to sigma = 0 without noise: it is the denoiser. Differences to published code: norms are
    each image's own and not the mean over a batch, and that of the noise is its expectation, so that the step is not
    correlated with it.

    No posterior sampler in the measured space: at weight 1, for one coil, samples have no variance there, as what was
    measured is reproduced with its noise. Say so beside a map of uncertainty. In the null space the variance is
    right where the step of the corrector is short beside the variance of the image. With steps by norms, on a white
    prior, it is 1 / (1 - snr^2) times the true one: 1.03 at .16, 1.36 at .517. Steps by the level are right at both.
    Replacing what was measured is not conditioning on it: the more of the null space it tells, the more the mean is off
    (.03 standard deviations on a nearly white prior, .2 to .3 on one whose spectrum falls as 1 / k^2).
    """

    steps: int = 1000
    """Noise levels, from sigma_max to sigma_min in geometric progression."""
    corrections: int = 1
    """Corrector steps at each level; 0 is the predictor alone."""
    snr: float = 0.517
    """Of the corrector."""
    step: Literal["norms", "level"] = "norms"
    """Step of the corrector: 2 (snr ||z|| / ||score||)^2 by norms, as published; 2 (snr sigma)^2 by the level, which is
    the same for images most of whose coordinates are noise."""
    weight: float = 1.0
    """lambda: how much measurements replace what is in their place, 0 (samples of the prior) to 1."""
    sigma_max: float = 128.0
    """Highest noise level, in the unit of the prior; in a range that the prior knows."""
    sigma_min: float = 0.01
    """Lowest noise level."""

    @property
    def evaluations(self) -> int:
        """One for every predictor and corrector."""
        return self.steps * (1 + self.corrections)

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``."""
        operator, zero_filled = problem.operator, problem.operator.adjoint(problem.y)
        expected = math.sqrt(parts(zero_filled))  # norm of the noise
        x = self.sigma_max * noise(zero_filled)
        for sigma, lower in pairwise(descent("geometric", self.steps, self.sigma_max, self.sigma_min)):
            x = consistent(operator, x, zero_filled, self.weight, sigma * noise(x))
            for _ in range(self.corrections):
                s = score(denoised(prior, x, sigma), x, sigma)
                size = expected / norms(s) if self.step == "norms" else torch.full_like(norms(s), sigma)
                step = 2 * (self.snr * size).square()
                x = x + step * s + (2 * step).sqrt() * noise(x)
            x = consistent(operator, x, zero_filled, self.weight, sigma * noise(x))
            clean = denoised(prior, x, sigma)
            removed = sigma**2 - lower**2
            x = x + removed * score(clean, x, sigma) + math.sqrt(removed) * noise(x)
            yield consistent(operator, clean, zero_filled, self.weight)


SCORE_MRI = PredictorCorrector(snr=0.16, sigma_max=378.0)
"""The settings of H. Chung and J. C. Ye, Med. Image Anal. 80, 102479 (2022)."""
