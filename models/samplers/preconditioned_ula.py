"""Langevin dynamics whose steps are as long as measurements and noise level allow, in each direction of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ..classical.conjugate_gradient import conjugate_gradient
from ..operators.linear_operator import LinearOperator
from ..priors.prior import Prior
from .ccdf import beginning
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import ScheduleName, noise_levels
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

    As published (``PUBLISHED``) that is Euler's method. Where x holds little but noise, its variance is then
    2 / (2 - a) times sigma_t^2: with a = 1 twice what the denoiser is told. On a Gaussian prior of variance 1 that
    costs little (in the null space up to some 10%, most of it a lag behind falling levels). Images are smaller than
    that in most directions: a network leaves the surplus in as texture and stripes, which no lower level takes away.

    ``exponential`` solves the same equation exactly over a time -log(1 - a) as far as D(x, sigma) stays what it is: the
    noise is sqrt(a (2 - a)) P^(1/2) z, and noise alone keeps the variance sigma_t^2 at any a. What it costs, where an
    image is known well, is variance: a factor of down to 1 - a / 2. From high levels the network errs beyond repair
    either way, so that it begins at another image by default.
    """

    steps: int = 50
    """Noise levels, from sigma_max to sigma_min."""
    updates: int = 1
    """Langevin updates at each level."""
    step: float = 0.5
    """a: below 2 for ``euler``, at most 1 for ``exponential``."""
    integrator: Literal["euler", "exponential"] = "exponential"
    """How long steps are made up for."""
    iterations: int = 20
    """Of conjugate gradients, at most. For A A^H a projection, 2 are exact; for several coils, at high levels, few
    leave directions that are hardly measured where they were, and lower levels make up for it."""
    tolerance: float = 1e-4
    """An image whose relative residual norm is at most this is solved for."""
    schedule: ScheduleName = "geometric"
    """Noise schedule, see ``noise_levels``."""
    sigma_max: float = 0.4
    """Highest noise level, in the unit of the prior."""
    sigma_min: float = 0.01
    """Lowest noise level."""
    hot: bool = True
    """Begin at the problem's ``start``, noised to ``sigma_max``: see ``hot_start``."""

    @property
    def evaluations(self) -> int:
        """One for every update."""
        return self.steps * self.updates

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``. What is yielded is D(x, sigma) before the last update of a level."""
        operator, zero_filled = problem.operator, problem.operator.adjoint(problem.y)
        a = self.step
        spread = math.sqrt(2 * a if self.integrator == "euler" else a * (2 - a))
        x = beginning(self, problem, zero_filled, noise)
        for sigma in noise_levels(self.schedule, self.steps, self.sigma_max, self.sigma_min).tolist():
            trust = (sigma / problem.sigma) ** 2
            for _ in range(self.updates):
                clean = denoised(prior, x, sigma)
                drift = sigma**2 * score(clean, x, sigma) + trust * (zero_filled - operator.normal(x))
                w = math.sqrt(trust) * operator.adjoint(noise(problem.y)) + noise(x)
                x = x + self._preconditioned(operator, trust, a * drift + spread * sigma * w)
            yield clean

    def _preconditioned(self, operator: LinearOperator, trust: float, rhs: Tensor) -> Tensor:
        return conjugate_gradient(
            lambda u: u + trust * operator.normal(u), rhs, iterations=self.iterations, tolerance=self.tolerance
        )


PUBLISHED = PreconditionedUla(steps=100, step=1.0, integrator="euler", sigma_max=10.0, hot=False)
"""The publication's method; levels and step are ours, chosen on a Gaussian."""
