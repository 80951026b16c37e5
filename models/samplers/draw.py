"""Run a sampler: with progress, within a deadline, until it is cancelled."""

from __future__ import annotations

import dataclasses
import time
from bisect import bisect_right
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from ..priors.prior import Prior
from .build import check_levels
from .inverse_problem import InverseProblem
from .noise import Noise
from .sampler import Sampler, cost


@dataclass(frozen=True)
class Drawn:
    """Samples, and how they came about."""

    images: Tensor
    """(batch, ...) in the unit of the prior."""
    steps: int
    """Steps taken."""
    requested: int
    """Steps that the sampler was set to."""
    expired: bool
    """The deadline came before the last step: the images are the best estimates until then, no samples."""


def draw(
    sampler: Sampler,
    problem: InverseProblem,
    prior: Prior,
    noise: Noise,
    *,
    seconds: float | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Drawn:
    """Draw samples, without gradients.

    Parameters
    ----------
    sampler, problem, prior, noise
        What to draw.
    seconds
        Time it may take, of the clock. One evaluation of the prior is timed first, and the sampler takes as many steps
        as fit by what it says they ``cost``. At least one; if time is over before the last all the same, it ends there.
    progress
        Told the number of steps done and of all, after each.
    cancelled
        Asked after each step; True gives up.
    clock
        Time in seconds.

    Raises
    ------
    ValueError
        The prior does not know the sampler's noise levels, see ``check_levels``.
    CancelledError
        ``cancelled`` said so.
    """
    check_levels(sampler, prior)
    requested, began = sampler.steps, clock()
    with torch.no_grad():
        if seconds is not None:
            sampler = _shortened(sampler, problem, prior, seconds, clock)
        images, done = None, 0
        for estimate in sampler(problem, prior, noise):
            images, done = estimate, done + 1
            progress(done, sampler.steps)
            if cancelled():
                raise CancelledError
            if seconds is not None and done < sampler.steps and clock() - began >= seconds:
                return Drawn(images, done, requested, expired=True)
    assert images is not None  # a sampler takes at least one step
    return Drawn(images, done, requested, expired=False)


def _shortened(
    sampler: Sampler, problem: InverseProblem, prior: Prior, seconds: float, clock: Callable[[], float]
) -> Sampler:
    zeros = problem.operator.adjoint(problem.y)
    began = clock()
    prior.denoise(zeros, torch.ones((), device=zeros.device))
    elapsed = max(clock() - began, 1e-9)
    left = (seconds - elapsed) / elapsed
    steps = bisect_right(range(1, sampler.steps + 1), left, key=lambda n: cost(_with_steps(sampler, n)))
    return _with_steps(sampler, max(1, steps)) if steps < sampler.steps else sampler


def _with_steps(sampler: Sampler, steps: int) -> Sampler:
    return cast("Sampler", dataclasses.replace(cast("Any", sampler), steps=steps))
