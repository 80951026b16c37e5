"""A few steps of diffusion, then a network that is fitted to the scan."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..priors.adaptable import network_of, with_network
from ..priors.prior import Prior
from .consistency import consistent
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import descent
from .score import denoised


@dataclass(frozen=True, kw_only=True)
class AdaDiff:
    """AdaDiff: A. Güngör et al., Med. Image Anal. 88, 102872 (2023) (arXiv:2207.05876).

    Rapid diffusion: at each of few noise levels D(x, sigma) is made consistent with the measurements, and noise of the
    next level is drawn given both. Adaptation: Adam changes all weights of the network so that D of that image, at the
    last level, fits the measurements, by the mean of |A D - y|; the result is made consistent. For slices, not volumes,
    by an ``AdaptablePrior``: each item adapts a copy of the network, which takes three more for Adam and gradients, and
    nothing is left to restore. An iteration takes three to four times the time of an evaluation.

    Differences: the authors' prior is a generator, trained against an adversary to take four large steps; here any
    denoiser stands for it, whose samples of four steps are smoother. Theirs begins at the zero-filled image without
    noise, this at noise. Their levels are 152, 17, 3.4 and .95; above 10 nothing is left of an image of intensity 1.

    One image, no posterior sample: with enough iterations a network fits the noise, and what it adds to the null space
    is what its architecture favours, as of the deep image prior.
    """

    steps: int = 1000
    """Iterations of the adaptation."""
    learning_rate: float = 1e-3
    """Of Adam, with betas of .5 and .9."""
    diffusion_steps: int = 4
    """Noise levels, in geometric progression."""
    sigma_max: float = 10.0
    """First noise level, in the unit of the prior."""
    sigma_min: float = 1.0
    """Last noise level: that at which the network is adapted. The lower, the less its output can change."""

    @property
    def evaluations(self) -> int:
        """One for every level, one for every iteration."""
        return self.diffusion_steps + self.steps

    @property
    def cost(self) -> float:
        """One for every level, 3.5 for every iteration, which has gradients of all weights."""
        return self.diffusion_steps + 3.5 * self.steps

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Reconstruct, a yield for every iteration; see ``Sampler``.

        Raises
        ------
        TypeError
            The prior has no weights to adapt.
        """
        operator, zero_filled = problem.operator, problem.operator.adjoint(problem.y)
        networks = [copy.deepcopy(network_of(prior)).requires_grad_() for _ in range(len(problem))]
        priors = [with_network(prior, network) for network in networks]
        weights = [weight for network in networks for weight in network.parameters()]
        optimiser = torch.optim.Adam(weights, lr=self.learning_rate, betas=(0.5, 0.9))

        image = self._diffused(problem, zero_filled, prior, noise)
        for _ in range(self.steps):
            with torch.enable_grad():
                items = zip(priors, image[:, None], strict=True)
                adapted = torch.cat([denoised(one, item, self.sigma_min) for one, item in items])
                loss = (operator(adapted) - problem.y).abs().flatten(1).mean(dim=1).sum()
                gradients = torch.autograd.grad(loss, weights)
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient
            optimiser.step()
            yield consistent(operator, adapted.detach(), zero_filled, 1)

    def _diffused(self, problem: InverseProblem, zero_filled: Tensor, prior: Prior, noise: Noise) -> Tensor:
        x = self.sigma_max * noise(zero_filled)
        for sigma, lower in pairwise(descent("geometric", self.diffusion_steps, self.sigma_max, self.sigma_min)):
            x0 = consistent(problem.operator, denoised(prior, x, sigma), zero_filled, 1)
            kept = (lower / sigma) ** 2
            x = kept * x + (1 - kept) * x0 + lower * math.sqrt(1 - kept) * noise(x)  # J. Ho et al., 2020, eq. 7
        return x
