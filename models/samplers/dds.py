"""Decomposed diffusion sampling: Tweedie's formula, conjugate gradients, DDIM."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..priors.prior import Prior
from .ccdf import beginning
from .inverse_problem import InverseProblem
from .noise import Noise
from .noise_matched import matched_weight, regularised
from .schedules import ScheduleName, descent
from .score import denoised


@dataclass(frozen=True, kw_only=True)
class Dds:
    """DDS: H. Chung, S. Lee and J. C. Ye, ICLR 2024 (arXiv:2303.05754), Algorithm 1; by default, matched to the noise.

    At each level: x0 = D(x, sigma); then a few steps of conjugate gradients, from x0, towards the x^ that minimises
    gamma ||A x^ - y||^2 + ||x^ - x0||^2; then x = x^ + sigma' (sqrt(1 - eta^2) epsilon + eta z) at the next level.

    As published (``PUBLISHED``), gamma is a number, and epsilon = (x - x0) / sigma. Samples are too much alike then:
    with eta .85 their variance in the null space is about .7 of the posterior's, next to none in the measured space.

    Matched (gamma is None): gamma is what noise and denoiser deserve at each level (``matched_weight``), and epsilon =
    (x - x^) / sigma is recomputed, so that x moves as the posterior would have it. With eta 0 variances are those of
    the posterior, as far as the prior's is about 1; 20 steps leave about .9 of it. With eta above 0 errors of earlier
    steps are forgotten, and variance is lost (.7 at .85): better means of few samples, worse maps of uncertainty.

    eta is that of the authors' code: the share of noise that is new, nearly all at 1. It is not DDIM's, where DDPM
    has 1 and adds much less in small steps.
    """

    steps: int = 20
    """Noise levels; one evaluation of the prior each."""
    eta: float = 0.0
    """Share of new noise, 0 (none) to 1 (all)."""
    gamma: float | None = None
    """Weight of the measurements as published; None matches it to the noise at each level."""
    iterations: int = 10
    """M: conjugate gradients at each level. Published: 5."""
    schedule: ScheduleName = "edm"
    """Noise schedule, see ``noise_levels``. Published: ``ddpm``."""
    sigma_max: float = 10.0
    """First noise level, in the unit of the prior."""
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
        correction = torch.zeros_like(x)
        for sigma, lower in pairwise(descent(self.schedule, self.steps, self.sigma_max, self.sigma_min)):
            x0 = denoised(prior, x, sigma)
            if self.gamma is None:
                weight, start = matched_weight(sigma, problem.sigma), x0 + correction
            else:
                weight, start = 1 / self.gamma, x0
            consistent = regularised(problem.operator, x0, zero_filled, weight, self.iterations, start)
            correction = consistent - x0
            epsilon = (x - (x0 if self.gamma else consistent)) / sigma
            x = consistent + lower * math.sqrt(1 - self.eta**2) * epsilon
            if self.eta > 0 and lower > 0:
                x = x + lower * self.eta * noise(x)
            yield consistent


PUBLISHED = Dds(steps=50, eta=0.85, gamma=5.0, iterations=5, schedule="ddpm", sigma_max=157.0)
"""The settings of the authors' code for MRI."""
