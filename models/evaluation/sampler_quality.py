"""What samplers are worth for how much work: the mean of some samples, at several numbers of evaluations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

from ..measurements import Reconstructor
from ..priors.prior import Prior
from ..samplers.diffusion_reconstruction import sample, sample_seeds
from ..samplers.sampler import Sampler
from .case import Case
from .metrics import scores


@dataclass(frozen=True)
class Setting:
    """What is measured: one sampler on one slice."""

    prior: str
    """Label of the weights, and how their checksum begins."""
    data: str
    acceleration: float
    number: int
    """Of the slice."""
    sampler: str
    """Name, and what is not default."""
    settings: str
    """All, those of the defaults of the day too."""
    evaluations: int
    """Calls of the prior for one sample."""
    samples: int


@dataclass(frozen=True)
class Quality:
    """How good it was."""

    psnr: float
    """Of the mean of the complex samples, dB."""
    sample_psnr: float
    """Mean over the samples, dB."""
    spread: float
    """Root mean square of the samples' standard deviation over that of the error of their mean, magnitudes. Of K
    samples of the true posterior: sqrt(K / (K + 1))."""


def ladder(sampler: Sampler, budgets: Iterable[int]) -> list[Sampler]:
    """Return a sampler with as many steps as each number of evaluations allows, where it allows one; none twice."""
    steps = {_most(sampler, budget) for budget in budgets}
    return [_with_steps(sampler, n) for n in sorted(steps) if n]


def measure(
    sampler: Sampler, prior: Prior, case: Case, *, start: Reconstructor | None = None, samples: int, seed: int
) -> Quality:
    """Draw samples of a slice and compare them with its reference.

    Parameters
    ----------
    sampler, prior
        What to draw by.
    case
        One slice, on the device of the prior but for the reference, whose unit is that of k-space.
    start
        As ``pose`` takes it.
    samples
        At least 2; drawn together.
    seed
        Of the noise, the same for all samplers and slices.
    """
    images = sample(case.measurements, prior, sampler, seeds=sample_seeds(seed, (), samples), start=start).images.cpu()
    reference = case.reference
    mean = images.mean(dim=0, keepdim=True)
    wrong = (mean.abs() - reference).square().mean().sqrt()
    return Quality(
        psnr=float(scores(mean, reference).psnr),
        sample_psnr=float(scores(images, reference.expand(images.shape)).psnr.mean()),
        spread=float(images.abs().var(dim=0).mean().sqrt() / wrong),
    )


def _with_steps(sampler: Sampler, steps: int) -> Sampler:
    return cast("Sampler", replace(cast("Any", sampler), steps=steps))


def _most(sampler: Sampler, budget: int) -> int:
    """Return the most steps that take at most so many evaluations; 0 where one takes more."""
    steps = budget  # a step takes one evaluation at least
    while steps and _with_steps(sampler, steps).evaluations > budget:
        steps -= 1
    return steps
