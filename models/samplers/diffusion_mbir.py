"""Stacks of slices by a prior of slices, with total variation between them."""

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
from .schedules import descent
from .score import denoised, norms, parts, score


@dataclass(frozen=True, kw_only=True)
class DiffusionMbir:
    """DiffusionMBIR: H. Chung et al., CVPR 2023 (arXiv:2211.10655), Algorithm 1, for stacks (batch, z, y, x).

    At each level a corrector and a predictor for every slice, as in ``PredictorCorrector``; then one round of
    ``CoherentSlices`` for the noisy stack, with one step of conjugate gradients. The problem's shape is
    (batch, z, y, x), its operator one of volumes, or ``Slicewise``.

    The last predictor goes to sigma = 0 without noise. Difference to the published code: the corrector comes first, so
    that it too sees the level that x has.

    No posterior sampler: noisy images are pulled towards measurements without that noise, and total variation between
    slices comes on top of the prior.
    """

    steps: int = 2000
    """Noise levels, in geometric progression."""
    snr: float = 0.16
    """Of the corrector: its step is 2 (snr ||z|| / ||score||)^2."""
    tv: float = 0.005
    """lambda: weight of the total variation between slices, of images of an intensity of about 1."""
    penalty: float = 0.01
    """rho of ADMM. Both are the authors' for MRI; for CT, whose operators have a norm far above 1, they take lambda .04
    and rho 10. With an operator of norm 1 and one step of conjugate gradients a round, that diverges."""
    sigma_max: float = 378.0
    """Highest noise level, in the unit of the prior; in a range that the prior knows."""
    sigma_min: float = 0.01
    """Lowest noise level."""

    @property
    def evaluations(self) -> int:
        """Two a step, each for all slices."""
        return 2 * self.steps

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``."""
        zero_filled = problem.operator.adjoint(problem.y)
        coherent = CoherentSlices(problem.operator, zero_filled, self.tv, self.penalty, iterations=1)
        x = self.sigma_max * noise(zero_filled)
        for sigma, lower in pairwise(descent("geometric", self.steps, self.sigma_max, self.sigma_min)):
            s = score(denoised(prior, x, sigma), x, sigma)
            of_slices = s.flatten(0, 1)
            step = 2 * parts(of_slices) * (self.snr / norms(of_slices)).square().reshape(*s.shape[:2], 1, 1)
            x = x + step * s + (2 * step).sqrt() * noise(x)
            clean = denoised(prior, x, sigma)
            removed = sigma**2 - lower**2
            x = x + removed * score(clean, x, sigma)
            if lower > 0:
                x = x + math.sqrt(removed) * noise(x)
            x = coherent(x)
            yield clean if lower > 0 else x
