"""Decomposed diffusion sampling of stacks of slices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from ..priors.prior import Prior
from .ccdf import beginning
from .coherent_slices import CoherentSlices
from .innovation import Innovation
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import ScheduleName, descent
from .score import denoised


@dataclass(frozen=True, kw_only=True)
class VolumeDds:
    """3D DDS: H. Chung, S. Lee and J. C. Ye, ICLR 2024 (arXiv:2303.05754), section 3.3; by default, fit to the noise.

    ``Dds`` by a prior of slices, for stacks (batch, z, y, x); but what follows the denoiser is one round of
    ``CoherentSlices``, which holds neighbours together. The problem's operator is one of volumes, or ``Slicewise``.

    As published (``PUBLISHED``), a round asks for the measurements alone, as far as a few conjugate gradients from x0
    go, noise and all. Fit to the noise, it asks for x0 too, with the weight that ``Dds`` gives it by ``adaptive``,
    and epsilon is recomputed as there.

    No posterior sampler: total variation between slices comes on top of the prior, and samples are too much alike, as
    those of ``Dds`` with the same ``eta`` are, or more. What differs from slice to slice in truth is lessened as well:
    it is for slices that are thin compared with what they show.
    """

    steps: int = 20
    """Noise levels; one evaluation of the prior each, for all slices."""
    eta: float = 1.0
    """Share of new noise, 0 (none) to 1 (all). Published: .85."""
    gamma: float | Literal["adaptive"] = "adaptive"
    """Weight of the measurements; infinite as published."""
    tv: float = 0.005
    """lambda: weight of the total variation between slices, of images of an intensity of about 1, where that of
    ||A x - y||^2 / 2 is 1. Published for CT, whose operators have a norm far above 1: .04."""
    penalty: float = 0.1
    """rho of ADMM: the larger, the sooner slices are held together. Published: 10 for CT; the authors' DiffusionMBIR
    has .01 for MRI."""
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
        coherent = CoherentSlices(problem.operator, zero_filled, self.tv, self.penalty, self.iterations)
        x = beginning(self, problem, zero_filled, noise)
        innovation = Innovation(problem, zero_filled, noise) if self.gamma == "adaptive" else None
        correction = torch.zeros_like(x)
        for sigma, lower in pairwise(descent(self.schedule, self.steps, self.sigma_max, self.sigma_min)):
            x0 = denoised(prior, x, sigma)
            if innovation is None:
                clean = coherent(x0, 1 / float(self.gamma))
                epsilon = (x - x0) / sigma
            else:
                misfit = zero_filled - problem.operator.normal(x0)
                clean = coherent(x0, problem.sigma**2 / innovation.variance(x0, misfit, sigma), x0 + correction)
                epsilon = (x - clean) / sigma
                correction = clean - x0
            x = clean + lower * math.sqrt(1 - self.eta**2) * epsilon
            if self.eta > 0 and lower > 0:
                x = x + lower * self.eta * noise(x)
            yield clean


PUBLISHED = VolumeDds(steps=50, eta=0.85, gamma=math.inf, penalty=0.01, iterations=5, schedule="ddpm", sigma_max=157.0)
"""The settings of the authors' code, but for lambda and rho, which are for MRI."""
