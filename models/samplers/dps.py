"""Diffusion posterior sampling: guided by the gradient of the residual, through the denoiser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..priors.prior import Prior
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import ScheduleName, descent
from .score import denoised, norms


@dataclass(frozen=True, kw_only=True)
class Dps:
    """DPS: H. Chung et al., ICLR 2023 (arXiv:2209.14687), Algorithm 1, with the step of its code.

    A step of DDPM, then against the gradient: x_vp' <- x_vp' - zeta grad ||y - A x0(x_vp)||, where x_vp = sqrt(abar) x
    is the variance-preserving view of x; so here, in the variance-exploding one,

        x' = x0 + sigma'^2 / sigma^2 (x - x0) + c z - zeta / sqrt(abar abar') grad_x ||y - A x0(x)||,

    c = sigma' sqrt(1 - sigma'^2 / sigma^2). Complex images are not clipped, and real and imaginary parts are
    coordinates. The denoiser must be differentiable.

    The pull has the same length far from the measurements and near to them: how much samples vary in the measured space
    is up to zeta and not to the noise of y (at sigma_y .05, .8 times the true variance with zeta .3, 9 times with 1).
    And all pulls together reach as far as steps times zeta, while the norm of an image rises with the root of its
    size: large images and short runs need a larger zeta. x0 is taken for certain at every noise level, so that what was
    measured says too much about what was not: with 1000 steps the mean is off by .1 standard deviations where
    eigenvalues of the prior's covariance range over a factor of 2, by .5 over a factor of 15.
    """

    steps: int = 1000
    """Noise levels; one evaluation of the prior each, and its gradient."""
    zeta: float = 0.3
    """Length of the step towards the measurements."""
    schedule: ScheduleName = "ddpm"
    """Noise schedule, see ``noise_levels``."""
    sigma_max: float = 157.0
    """First noise level, in the unit of the prior."""
    sigma_min: float = 0.01
    """Last noise level above 0."""

    @property
    def evaluations(self) -> int:
        """One a step."""
        return self.steps

    @property
    def cost(self) -> float:
        """Two a step: the gradient takes as long as the evaluation."""
        return 2 * self.steps

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``. The last yield is x0 less the last gradient."""
        x = self.sigma_max * noise(problem.operator.adjoint(problem.y))
        for sigma, lower in pairwise(descent(self.schedule, self.steps, self.sigma_max, self.sigma_min)):
            x0, gradient = residual_gradient(problem, prior, x, sigma)
            kept = (lower / sigma) ** 2
            pull = self.zeta * math.sqrt((1 + sigma**2) * (1 + lower**2))
            x = x0 + kept * (x - x0) - pull * gradient
            if lower > 0:
                x = x + lower * math.sqrt(1 - kept) * noise(x)
            yield x0 if lower > 0 else x


def residual_gradient(problem: InverseProblem, prior: Prior, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Return x0 = D(x, sigma), and the gradient of ||y - A x0|| with respect to x, for each item.

    The gradient itself is differentiable where gradients are recorded.

    Raises
    ------
    ValueError
        The prior's denoiser is not differentiable.
    """
    recording = torch.is_grad_enabled()
    with torch.enable_grad():
        at = x if x.requires_grad else x.detach().requires_grad_()
        x0 = denoised(prior, at, sigma)
        if not x0.requires_grad:
            raise ValueError(
                f"{type(prior).__name__} gives no gradients, which this method needs: let torch compute it"
            )
        residual = norms(problem.y - problem.operator(x0))
        (gradient,) = torch.autograd.grad(residual.sum(), at, create_graph=recording)
    return x0 if recording else x0.detach(), gradient
