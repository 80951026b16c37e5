"""EDM's sampler: Heun's second-order method for the probability-flow ODE, with churn if wanted."""

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
class Heun:
    """T. Karras et al., NeurIPS 2022 (arXiv:2206.00364), Algorithm 2; Algorithm 1 with ``churn`` 0.

    Conditional on the measurements: where the paper has D(x, sigma) = E[x0 | x], here is E[x0 | x, y], by
    ``regularised``, whose weight is matched to the noise as that of ``Dds``. ``Dds`` without new noise is Euler's
    method for the same equation.

    Churn forgets what a learnt prior had wrong at higher levels, and so does a start at another image: for images both
    are default. Samples of the posterior are those of the equation itself: ``churn=0, hot=False, sigma_max=10``.
    """

    steps: int = 10
    """Noise levels; two evaluations each, but for the last."""
    churn: float = 40.0
    """S_churn: noise added in a whole run; 0 is the ODE. Default: the paper's best for images of 64 x 64; a step takes
    sqrt(2) - 1 of its level at most, as all do in a run of fewer than 97."""
    churn_min: float = 0.01
    """S_min: lowest noise level with churn. The paper: .05."""
    churn_max: float = 50.0
    """S_max: highest noise level with churn."""
    churn_noise: float = 1.0
    """S_noise: standard deviation of new noise. The paper: 1.003, as its denoisers take away a little too much."""
    gamma: Literal["matched", "adaptive"] = "adaptive"
    """What a denoised image is trusted by: a prior whose variance is 1, or what the measurements tell; see ``Dds``."""
    iterations: int = 3
    """Conjugate gradients at each evaluation; 0 leaves the measurements out: samples of the prior."""
    schedule: ScheduleName = "edm"
    """Noise schedule, see ``noise_levels``."""
    sigma_max: float = 0.4
    """First noise level, in the unit of the prior, and the highest, churn included. The paper, from noise alone: 80."""
    sigma_min: float = 0.01
    """Last noise level above 0. The paper: .002."""
    hot: bool = True
    """Begin at the problem's ``start``, noised to ``sigma_max``: see ``hot_start``."""

    @property
    def evaluations(self) -> int:
        """Two a step, one in the last."""
        return 2 * self.steps - 1

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``."""
        zero_filled = problem.operator.adjoint(problem.y)
        innovation = Innovation(problem, zero_filled, noise) if self.gamma == "adaptive" else None
        consistency = Regularised(problem.operator, zero_filled, self.iterations)

        def conditional(x: Tensor, sigma: float) -> Tensor:
            x0 = denoised(prior, x, sigma)
            misfit = consistency.misfit(x0)
            if innovation is None:
                weight: float | Tensor = matched_weight(sigma, problem.sigma)
            else:
                weight = problem.sigma**2 / innovation.variance(x0, misfit, sigma)
            return consistency(x0, misfit, weight)

        x = beginning(self, problem, zero_filled, noise)
        for sigma, lower in pairwise(descent(self.schedule, self.steps, self.sigma_max, self.sigma_min)):
            t = sigma
            if self.churn > 0 and self.churn_min <= sigma <= self.churn_max:
                t = min(sigma * (1 + min(self.churn / self.steps, math.sqrt(2) - 1)), self.sigma_max)
                x = x + math.sqrt(t**2 - sigma**2) * self.churn_noise * noise(x)
            clean = conditional(x, t)
            d = (x - clean) / t
            x_next = x + (lower - t) * d
            if lower > 0:
                clean = conditional(x_next, lower)
                x_next = x + (lower - t) * (d + (x_next - clean) / lower) / 2
            x = x_next
            yield clean
