"""What every sampler is: settings, and one loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor

from ..priors.prior import Prior
from .inverse_problem import InverseProblem
from .noise import Noise


class Sampler(Protocol):
    """A frozen keyword-only dataclass of a method's settings; called, it samples.

    It yields after each step, so that whoever draws from it (``draw``) can show progress, stop it, or watch how the
    image comes about. It neither switches gradients on nor off, but for itself where it needs them: who calls decides.
    """

    @property
    def steps(self) -> int:
        """Steps that a whole run takes.

        A field: ``dataclasses.replace(sampler, steps=n)`` makes a shorter run of the same method, from the same first
        to the same last noise level.
        """
        ...

    @property
    def evaluations(self) -> int:
        """Calls of the prior's denoiser in a whole run."""
        ...

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample one image for every item of the problem.

        Yields
        ------
            Once a step: (batch, ...) the best estimate so far of the noise-free images. The last are the samples.
        """
        ...


def cost(sampler: Sampler) -> float:
    """Return the time of a whole run in evaluations of the prior.

    As many as there are, unless the sampler says otherwise: those with gradients take longer, and a sampler that has
    such ones has a property ``cost``, measured on a U-Net (``DiffusionPrior``) on a processor.
    """
    return float(getattr(sampler, "cost", sampler.evaluations))
