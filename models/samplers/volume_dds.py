"""Decomposed diffusion sampling of stacks of slices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from ..priors.prior import Prior
from .coherent_slices import CoherentSlices
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import ScheduleName, descent
from .score import denoised


@dataclass(frozen=True, kw_only=True)
class VolumeDds:
    """3D DDS: H. Chung, S. Lee and J. C. Ye, ICLR 2024 (arXiv:2303.05754), section 3.3, for stacks (batch, z, y, x).

    ``Dds`` as published, by a prior of slices; but what follows the denoiser is one round of ``CoherentSlices``.
    The problem's shape is (batch, z, y, x), its operator one of volumes, or ``Slicewise``.

    No posterior sampler: total variation between slices comes on top of the prior, and, as for ``Dds`` as published,
    samples are too much alike.
    """

    steps: int = 50
    """Noise levels; one evaluation of the prior each, for all slices."""
    eta: float = 0.85
    """Share of new noise, 0 (none) to 1 (all)."""
    tv: float = 0.005
    """lambda: weight of the total variation between slices, of images of an intensity of about 1."""
    penalty: float = 0.01
    """rho of ADMM. Published: lambda .04 and rho 10, for CT, whose operators have a norm far above 1. For one of norm 1
    the M iterations are too few with that rho. These are the settings of the authors' DiffusionMBIR for MRI."""
    iterations: int = 5
    """M: conjugate gradients at each level."""
    schedule: ScheduleName = "edm"
    """Noise schedule, see ``noise_levels``. Published: ``ddpm``."""
    sigma_max: float = 10.0
    """First noise level, in the unit of the prior."""
    sigma_min: float = 0.01
    """Last noise level above 0."""

    @property
    def evaluations(self) -> int:
        """One a step."""
        return self.steps

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``."""
        zero_filled = problem.operator.adjoint(problem.y)
        coherent = CoherentSlices(problem.operator, zero_filled, self.tv, self.penalty, self.iterations)
        x = self.sigma_max * noise(zero_filled)
        for sigma, lower in pairwise(descent(self.schedule, self.steps, self.sigma_max, self.sigma_min)):
            x0 = denoised(prior, x, sigma)
            clean = coherent(x0)
            epsilon = (x - x0) / sigma
            x = clean + lower * (math.sqrt(1 - self.eta**2) * epsilon + self.eta * noise(x))
            yield clean
