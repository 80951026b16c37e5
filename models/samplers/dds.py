"""Decomposed diffusion sampling: Tweedie's formula, conjugate gradients, DDIM."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor

from ..priors.prior import Prior
from .ccdf import beginning
from .innovation import Innovation
from .inverse_problem import InverseProblem
from .noise import Noise
from .noise_matched import Regularised, matched_weight
from .schedules import ScheduleName, descent
from .score import denoised


@dataclass(frozen=True, kw_only=True)
class Dds:
    """DDS: H. Chung, S. Lee and J. C. Ye, ICLR 2024 (arXiv:2303.05754), Algorithm 1; by default, matched to the noise.

    At each level: x0 = D(x, sigma); then a few steps of conjugate gradients, from x0, towards the x^ that minimises
    gamma ||A x^ - y||^2 + ||x^ - x0||^2; then x = x^ + sigma' (sqrt(1 - eta^2) epsilon + eta z) at the next level.

    As published (``PUBLISHED``), gamma is a number, and epsilon = (x - x0) / sigma. Samples are too much alike then:
    with eta .85 their variance in the null space is about .7 of the posterior's, next to none in the measured space.

    Matched to the noise, gamma is r^2 / sigma_y^2, what denoiser and measurements deserve: r^2 is the variance of what
    D(x, sigma) leaves unknown. ``matched`` takes it for sigma^2 / (1 + sigma^2), right for a prior whose variance is
    about 1 in every direction (``matched_weight``). Images are known better than that, and the more noise there is the
    more so: ``adaptive`` estimates it from the measurements (``Innovation``), and thereby trusts a prior the less the
    less it suits a scan. Either way epsilon = (x - x^) / sigma is recomputed, so that x moves as the posterior would
    have it, and conjugate gradients start from what they changed at the level before: few suffice.

    eta is that of the authors' code: the share of noise that is new. It is not DDIM's, where DDPM has 1 and adds much
    less in small steps. Without new noise (0) variances are those of the posterior, of which 20 steps leave about .8,
    200 nearly all. With new noise x forgets what earlier levels had wrong, and a learnt prior is wrong somewhere: every
    image, and the mean of several, is better the more there is of it, so that all of it (1) is the default. It costs
    variance: of the posterior's in the null space .67 are left at .85, .44 at 1. Maps of uncertainty are that much too
    sure until they are calibrated. Where sigma_y is below ``sigma_min`` variance in the measured space is wrong,
    whatever eta.
    """

    steps: int = 20
    """Noise levels; one evaluation of the prior each."""
    eta: float = 1.0
    """Share of new noise, 0 (none) to 1 (all). Published: .85."""
    gamma: float | Literal["matched", "adaptive"] = "adaptive"
    """Weight of the measurements: as published, or matched to the noise at each level."""
    iterations: int = 3
    """M: conjugate gradients at each level. Published: 5."""
    schedule: ScheduleName = "edm"
    """Noise schedule, see ``noise_levels``. Published: ``ddpm``."""
    sigma_max: float = 3.0
    """First noise level, in the unit of the prior. Published: 157."""
    sigma_min: float = 0.01
    """Last noise level above 0."""
    hot: bool = False
    """Begin at the problem's ``start``, noised to ``sigma_max``: see ``hot_start``."""

    @property
    def evaluations(self) -> int:
        """One a step."""
        return self.steps

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``."""
        zero_filled = problem.operator.adjoint(problem.y)
        x = beginning(self, problem, zero_filled, noise)
        published = None if isinstance(self.gamma, str) else self.gamma
        innovation = Innovation(problem, zero_filled, noise) if self.gamma == "adaptive" else None
        consistency = Regularised(problem.operator, zero_filled, self.iterations, warm=published is None)
        for sigma, lower in pairwise(descent(self.schedule, self.steps, self.sigma_max, self.sigma_min)):
            x0 = denoised(prior, x, sigma)
            misfit = consistency.misfit(x0)
            weight: float | Tensor
            if published is not None:
                weight = 1 / published
            elif innovation is not None:
                weight = problem.sigma**2 / innovation.variance(x0, misfit, sigma)
            else:
                weight = matched_weight(sigma, problem.sigma)
            consistent = consistency(x0, misfit, weight)
            epsilon = (x - (consistent if published is None else x0)) / sigma
            x = consistent + lower * math.sqrt(1 - self.eta**2) * epsilon
            if self.eta > 0 and lower > 0:
                x = x + lower * self.eta * noise(x)
            yield consistent


PUBLISHED = Dds(steps=50, eta=0.85, gamma=1.0, iterations=5, schedule="ddpm", sigma_max=157.0)
"""The settings of the authors' code; its noise schedule is DDPM's."""
