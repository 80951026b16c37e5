"""Langevin dynamics that weigh the measurements, and stop, by an estimate of their own risk."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..classical.conjugate_gradient import conjugate_gradient
from ..operators.inner_product import inner
from ..priors.prior import Prior
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import noise_levels
from .score import denoised, score


@dataclass(frozen=True, kw_only=True)
class Smrd:
    """SMRD: B. Ozturkler et al., MICCAI 2023 (arXiv:2310.01799), Algorithm 1.

    Annealed Langevin updates, each followed by conjugate gradients from A^H y on the least-squares problem that keeps
    the image near to what the update made of it::

        x+ = x + eta s(x, sigma_t) + sqrt(2 eta) z,   x = h(x+, lambda) = (A^H A + lambda)^-1 (A^H y + lambda x+)

    lambda follows the gradient of the estimated risk SURE = v div / n, with v = ||h - A^H y||^2 / n and div the
    divergence of the whole update, by one random probe. In place of the noise of A^H y, which contains its aliasing,
    Stein's formula is given v; then its other terms cancel. Once the mean of SURE over a window is above that of the
    window before, the image is done.

    Differences to the published code: the divergence is the inner product with the probe, where the code takes the sum
    of a matrix product, which is another number; each item has its own lambda and its own end; the image is h of
    D(x, sigma_t) instead of x, which still has noise of sigma_t where it ends early.

    Not a posterior sampler: what h does to the noise of the Langevin update is not made up for, and the tuning seeks
    one good image. On a Gaussian, run to the end, variances are 0.00 of the posterior's in the measured space and 1.09
    in the null space, and the bias is .05 standard deviations: the spread of its samples is no uncertainty.
    """

    steps: int = 1155
    """Noise levels, in geometric progression, at most: an image that is done earlier ends earlier. With fewer than
    about 300 the levels fall faster than ``updates`` of this ``step`` can follow, and noise is left."""
    updates: int = 3
    """Langevin updates at each level."""
    step: float = 0.02
    """eta over sigma_t^2."""
    iterations: int = 5
    """Of conjugate gradients."""
    weight: float = 2.0
    """lambda at the beginning, and wherever what was learnt is not above 0; A^H A is at most 1."""
    learning_rate: float = 0.2
    """Of lambda, by Adam."""
    learning: float = 0.43
    """Share of the levels, from the first, at which lambda learns: 500 of 1,155."""
    window: int = 160
    """Updates over which SURE is averaged; no image ends within three windows."""
    sigma_max: float = 1.24
    """Highest noise level, in the unit of the prior: that from which A. Jalal et al., NeurIPS 2021, begin."""
    sigma_min: float = 0.0066
    """Lowest noise level."""

    @property
    def evaluations(self) -> int:
        """Two for every update, of which one is for the divergence."""
        return 2 * self.updates * self.steps

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``. The last yield can come before the last step."""
        zero_filled = problem.operator.adjoint(problem.y)
        each = (-1, *(1,) * (zero_filled.ndim - 1))
        probe_step = (zero_filled.abs().flatten(1).amax(dim=1) / 1000).clamp(min=1e-6).view(each)
        learnt = torch.full_like(probe_step, self.weight).requires_grad_()
        optimiser = torch.optim.Adam([learnt], lr=self.learning_rate)
        risks: deque[Tensor] = deque(maxlen=2 * self.window)
        done = torch.zeros_like(probe_step, dtype=torch.bool)

        x, image = self.sigma_max * noise(zero_filled), zero_filled
        levels = noise_levels("geometric", self.steps, self.sigma_max, self.sigma_min).tolist()
        for level, sigma in enumerate(levels):
            for _ in range(self.updates):
                z, probe = noise(x), noise(x)
                clean = denoised(prior, x, sigma)
                nearby = x + probe_step * probe
                proposal = self._langevin(x, clean, sigma, z)
                perturbed = self._langevin(nearby, denoised(prior, nearby, sigma), sigma, z)
                with torch.enable_grad():
                    weight = torch.where(learnt > 0, learnt, self.weight)
                    here, there = (self._regularised(problem, zero_filled, p, weight) for p in (proposal, perturbed))
                    divergence = probed_divergence(probe, (there - here) / probe_step)
                    change = here - zero_filled
                    distance = inner(change, change) / here[0].numel()
                    risk = distance * divergence / here[0].numel()
                    if level < self.learning * self.steps:
                        (learnt.grad,) = torch.autograd.grad(risk.sum(), learnt)
                        optimiser.step()
                risks.append(risk.detach())
                x = here.detach()
            image = torch.where(done, image, self._regularised(problem, zero_filled, clean, weight.detach()))
            if (level + 1) * self.updates > 3 * self.window:
                before, now = torch.stack(tuple(risks)).view(2, self.window, -1).mean(dim=1)
                done |= (now > before).view(each)
            yield image
            if done.all():
                return

    def _langevin(self, x: Tensor, clean: Tensor, sigma: float, z: Tensor) -> Tensor:
        eta = self.step * sigma**2
        return x + eta * score(clean, x, sigma) + math.sqrt(2 * eta) * z

    def _regularised(self, problem: InverseProblem, zero_filled: Tensor, near: Tensor, weight: Tensor) -> Tensor:
        return conjugate_gradient(
            lambda u: problem.operator.normal(u) + weight * u,
            zero_filled + weight * near,
            start=zero_filled,
            iterations=self.iterations,
        )


def probed_divergence(probe: Tensor, response: Tensor) -> Tensor:
    """Estimate the divergence of f from its response J b to a random probe b: E[b^T J b] = tr J.

    S. Ramani et al., IEEE Trans. Image Process. 17, 1540 (2008). Real and imaginary parts are coordinates.

    Parameters
    ----------
    probe
        b, (batch, ...), of variance 1 in each part.
    response
        (f(x + h b) - f(x)) / h for a small h, of the same shape.

    Returns
    -------
        (batch,) real.
    """
    return inner(probe, response)
