"""EDM's sampler: Heun's second-order method for the probability-flow ODE, with churn if wanted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from ..priors.prior import Prior
from .ccdf import beginning
from .inverse_problem import InverseProblem
from .noise import Noise
from .noise_matched import matched_weight, regularised
from .schedules import ScheduleName, descent
from .score import denoised


@dataclass(frozen=True, kw_only=True)
class Heun:
    """T. Karras et al., NeurIPS 2022 (arXiv:2206.00364), Algorithm 1 and, with ``churn`` above 0, Algorithm 2.

    Conditional on the measurements: where the paper has D(x, sigma) = E[x0 | x], here is E[x0 | x, y], as far as the
    prior's variance is 1, by ``regularised`` with ``matched_weight``. ``Dds`` without new noise is Euler's method for
    the same equation.
    """

    steps: int = 10
    """Noise levels; two evaluations each, but for the last."""
    churn: float = 0.0
    """S_churn: noise added in a whole run; 0 is the ODE. The paper's best for images of 64 x 64: 40."""
    churn_min: float = 0.05
    """S_min: lowest noise level with churn."""
    churn_max: float = 50.0
    """S_max: highest noise level with churn."""
    churn_noise: float = 1.003
    """S_noise: standard deviation of new noise; above 1 as denoisers take away a little too much."""
    iterations: int = 5
    """Conjugate gradients at each evaluation; 0 leaves the measurements out: samples of the prior."""
    schedule: ScheduleName = "edm"
    """Noise schedule, see ``noise_levels``."""
    sigma_max: float = 10.0
    """First noise level, in the unit of the prior. The paper: 80."""
    sigma_min: float = 0.01
    """Last noise level above 0. The paper: .002."""
    hot: bool = False
    """Begin at the problem's ``start``, noised to ``sigma_max``: see ``hot_start``."""

    @property
    def evaluations(self) -> int:
        """Two a step, one in the last."""
        return 2 * self.steps - 1

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``."""
        zero_filled = problem.operator.adjoint(problem.y)

        def conditional(x: Tensor, sigma: float) -> Tensor:
            weight = matched_weight(sigma, problem.sigma)
            return regularised(problem.operator, denoised(prior, x, sigma), zero_filled, weight, self.iterations)

        x = beginning(self, problem, zero_filled, noise)
        for sigma, lower in pairwise(descent(self.schedule, self.steps, self.sigma_max, self.sigma_min)):
            t = sigma
            if self.churn > 0 and self.churn_min <= sigma <= self.churn_max:
                t = sigma * (1 + min(self.churn / self.steps, math.sqrt(2) - 1))
                x = x + math.sqrt(t**2 - sigma**2) * self.churn_noise * noise(x)
            clean = conditional(x, t)
            d = (x - clean) / t
            x_next = x + (lower - t) * d
            if lower > 0:
                clean = conditional(x_next, lower)
                x_next = x + (lower - t) * (d + (x_next - clean) / lower) / 2
            x = x_next
            yield clean
