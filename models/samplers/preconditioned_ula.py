"""Langevin dynamics whose steps are as long as measurements and noise level allow, in each direction of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from ..classical.conjugate_gradient import conjugate_gradient
from ..operators.linear_operator import LinearOperator
from ..priors.prior import Prior
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import noise_levels
from .score import denoised, score


@dataclass(frozen=True, kw_only=True)
class PreconditionedUla:
    """Preconditioned unadjusted Langevin algorithm: M. Blumenthal et al., arXiv:2512.05791 (2025).

    The exact likelihood at every noise level sigma_t, and P = (A^H A / sigma_y^2 + I / sigma_t^2)^-1:

        x <- x + a P (score - A^H (A x - y) / sigma_y^2) + sqrt(2 a) P^(1/2) z.

    No curvature of the noisy posterior is above 1 in units of P: one step a serves all levels and operators.
    P is applied by conjugate gradients. Noise of covariance P is P w, with w of covariance P^-1: w = A^H n / sigma_y +
    n' / sigma_t with white n and n'; so one solve serves drift and noise. In the code, P and w are times sigma_t^-2 and
    sigma_t.

    The variance of its samples is up to some 10% too large in the null space, as falling levels are followed with a
    lag; fewer steps make that more, and a longer step less. Levels and step are ours, chosen on a Gaussian.
    """

    steps: int = 100
    """Noise levels, from sigma_max to sigma_min in geometric progression."""
    updates: int = 1
    """Langevin updates at each level."""
    step: float = 1.0
    """a, below 2."""
    iterations: int = 20
    """Of conjugate gradients, at most. For A A^H a projection, 2 are exact; for several coils, at high levels, few
    leave directions that are hardly measured where they were, and lower levels make up for it."""
    tolerance: float = 1e-4
    """An image whose relative residual norm is at most this is solved for."""
    sigma_max: float = 10.0
    """Highest noise level, in the unit of the prior."""
    sigma_min: float = 0.01
    """Lowest noise level."""

    @property
    def evaluations(self) -> int:
        """One for every update."""
        return self.steps * self.updates

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``. What is yielded is D(x, sigma) before the last update of a level."""
        operator, zero_filled = problem.operator, problem.operator.adjoint(problem.y)
        x = self.sigma_max * noise(zero_filled)
        for sigma in noise_levels("geometric", self.steps, self.sigma_max, self.sigma_min).tolist():
            trust = (sigma / problem.sigma) ** 2
            for _ in range(self.updates):
                clean = denoised(prior, x, sigma)
                drift = sigma**2 * score(clean, x, sigma) + trust * (zero_filled - operator.normal(x))
                w = math.sqrt(trust) * operator.adjoint(noise(problem.y)) + noise(x)
                x = x + self._preconditioned(operator, trust, self.step * drift + math.sqrt(2 * self.step) * sigma * w)
            yield clean

    def _preconditioned(self, operator: LinearOperator, trust: float, rhs: Tensor) -> Tensor:
        return conjugate_gradient(
            lambda u: u + trust * operator.normal(u), rhs, iterations=self.iterations, tolerance=self.tolerance
        )
