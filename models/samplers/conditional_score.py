"""The sampler without an approximation, for the one prior that allows it: a reference for tests, and to learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..priors.gaussian import GaussianPrior
from ..priors.prior import Prior
from .ddim import Ddim
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import ScheduleName


@dataclass(frozen=True, kw_only=True)
class ConditionalScore:
    """DDPM with the score of p(x | y), exactly: that of the posterior, which is a Gaussian as the prior is.

    Every other sampler approximates grad log p(y | x) of noisy x, or does without: beside this one it is seen at what
    cost. What bias is left here is that of finite steps and finite samples.
    """

    steps: int = 1000
    """Noise levels."""
    eta: float = 1.0
    """Of ``Ddim``: 1 is the reversed diffusion, 0 the ODE of the same distributions."""
    schedule: ScheduleName = "edm"
    """Noise schedule, see ``noise_levels``."""
    sigma_max: float = 80.0
    """First noise level."""
    sigma_min: float = 0.002
    """Last noise level above 0."""

    @property
    def evaluations(self) -> int:
        """None of the prior: the posterior is evaluated, once a step."""
        return 0

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``. The operator, the same for all items, is made a matrix: small images only.

        Raises
        ------
        TypeError
            The prior is no Gaussian.
        """
        if not isinstance(prior, GaussianPrior):
            raise TypeError(f"prior is {type(prior).__name__}, expected GaussianPrior: others have no known posterior")
        zero_filled = problem.operator.adjoint(problem.y)
        image = zero_filled[0]
        units = torch.eye(image.numel(), dtype=image.dtype, device=image.device).reshape(-1, *image.shape)
        matrix = problem.operator(units).flatten(1).T
        posterior = GaussianPrior(*prior.posterior(matrix, problem.y.flatten(1), problem.sigma))
        sampler = Ddim(
            steps=self.steps,
            eta=self.eta,
            schedule=self.schedule,
            sigma_max=self.sigma_max,
            sigma_min=self.sigma_min,
        )
        return sampler(problem, posterior, noise)
