"""DDPM and DDIM: noise becomes an image, or a noisy image a denoised one, in many steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from ..priors.prior import Prior
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import ScheduleName, descent
from .score import denoised


@dataclass(frozen=True, kw_only=True)
class Ddim:
    """J. Song, C. Meng and S. Ermon, ICLR 2021 (arXiv:2010.02502), eq. 12; J. Ho et al., NeurIPS 2020, at eta 1.

    In the paper, with x_vp = sqrt(abar) x,

        x_vp' = sqrt(abar') x0 + sqrt(1 - abar' - s^2) epsilon + s z,
        s = eta sqrt((1 - abar') / (1 - abar)) sqrt(1 - abar / abar').

    Divided by sqrt(abar'), and with sigma^2 = (1 - abar) / abar, abar is gone from it:

        x' = x0 + sqrt(sigma'^2 - c^2) epsilon + c z,  c = eta sigma' sqrt(1 - sigma'^2 / sigma^2).

    As a denoiser (``sigma_max`` None) it begins at A^H y, whose noise is that of the measurements if A is unitary, as
    for fully sampled k-space of normalised maps. This is what L. Pfaff et al., No-New-Denoiser, MICCAI 2024, compare
    with one step (``Tweedie``): samples of the posterior are further from the truth than its mean. On a Gaussian they
    have up to twice its squared error (3.01 dB): nearly that with eta 1, less with eta 0, as the same image always
    gives the same sample. Else it begins at noise of ``sigma_max`` and draws from the prior, whatever was measured.

    Whether the network predicts x0 or epsilon is the prior's affair (``priors.parametrisations``).
    """

    steps: int = 50
    """Noise levels; one evaluation of the prior each."""
    eta: float = 0.0
    """0: DDIM, deterministic but for the noise that it begins with. 1: DDPM, stochastic."""
    schedule: ScheduleName = "ddpm"
    """Noise schedule, see ``noise_levels``."""
    sigma_max: float | None = None
    """First noise level, in the unit of the prior; None: that of the measurements, for denoising them."""
    sigma_min: float = 0.01
    """Last noise level above 0."""

    @property
    def evaluations(self) -> int:
        """One a step."""
        return self.steps

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``."""
        x = problem.operator.adjoint(problem.y)
        high = problem.sigma
        if self.sigma_max is not None:
            high = self.sigma_max
            x = high * noise(x)
        for sigma, lower in pairwise(descent(self.schedule, self.steps, high, self.sigma_min)):
            x0 = denoised(prior, x, sigma)
            epsilon = (x - x0) / sigma
            c = self.eta * lower * math.sqrt(1 - (lower / sigma) ** 2)
            x = x0 + math.sqrt(lower**2 - c**2) * epsilon
            if c > 0:
                x = x + c * noise(x)
            yield x0
