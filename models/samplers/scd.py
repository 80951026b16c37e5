"""Decomposed diffusion sampling by a prior that learns from the scan on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..operators.finite_differences import FiniteDifferences
from ..priors.adaptable import network_of, with_network
from ..priors.low_rank_adapter import with_low_rank_adapters
from ..priors.prior import Prior
from .dds import Dds
from .inverse_problem import InverseProblem
from .noise import Noise


@dataclass(frozen=True, kw_only=True)
class Scd(Dds):
    """SCD, steerable conditional diffusion: R. Barbano et al., IEEE Trans. Med. Imaging, 2024 (arXiv:2308.14409).

    ``Dds`` whose prior is adapted, for images unlike those that it was trained on. At every n-th step, before the
    step, Adam takes K steps down

        ||A D(x, sigma) - y||^2 / 2 + tv sum |differences of D(x, sigma)|

    with the weights of low-rank adapters (``low_rank_adapter``), which each item of the batch has for itself; they and
    Adam's moments go on from step to step. For slices, not volumes, by an ``AdaptablePrior``.

    Differences to the published code: it takes the loss of D(x, sigma) after conjugate gradients, and epsilon from the
    prior as it was before; here the loss is the paper's, and epsilon is that of ``Dds``. It also adapts at the last
    four steps.

    Nothing stops the adaptation from fitting noise but that there are few steps of it: what is sampled is no
    longer a posterior of the prior. A step of adaptation takes about 3.5 times the time of an evaluation.
    """

    rank: int = 4
    """Of the adapters."""
    adaptations: int = 18
    """K."""
    every: int = 5
    """n."""
    learning_rate: float = 3e-4
    """Of Adam."""
    tv: float = 0.004
    """Weight of the total variation, of images of an intensity of about 1; that which ``TotalVariation`` has."""

    @property
    def evaluations(self) -> int:
        """One a step, and K at every n-th."""
        return self.steps + self.adaptations * -(-self.steps // self.every)

    @property
    def cost(self) -> float:
        """One a step, 3.5 for each adaptation: it has gradients, of wider layers."""
        return self.steps + 3.5 * (self.evaluations - self.steps)

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``.

        Raises
        ------
        TypeError
            The prior has no weights to adapt.
        """
        yield from super().__call__(problem, _AdaptingPrior(self, problem, prior, noise), noise)


class _AdaptingPrior:
    """Adapts itself at every n-th call."""

    def __init__(self, settings: Scd, problem: InverseProblem, prior: Prior, noise: Noise) -> None:
        self.sigmas = prior.sigmas
        network, self._weights = with_low_rank_adapters(network_of(prior), len(problem), noise, rank=settings.rank)
        self._prior = with_network(prior, network)
        self._settings, self._problem = settings, problem
        self._optimiser = torch.optim.Adam(self._weights, lr=settings.learning_rate)
        self._calls = 0

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        if self._calls % self._settings.every == 0:
            for _ in range(self._settings.adaptations):
                self._adapt(x, sigma)
        self._calls += 1
        return self._prior.denoise(x, sigma)

    def _adapt(self, x: Tensor, sigma: Tensor) -> None:
        with torch.enable_grad():
            x0 = self._prior.denoise(x, sigma)
            residual = self._problem.operator(x0) - self._problem.y
            roughness = FiniteDifferences()(x0).abs().sum()
            loss = residual.abs().square().sum() / 2 + self._settings.tv * roughness
            gradients = torch.autograd.grad(loss, self._weights)
        for weight, gradient in zip(self._weights, gradients, strict=True):
            weight.grad = gradient
        self._optimiser.step()
