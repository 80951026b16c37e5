"""Hot starts: the end of a run alone, from an image by another method."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, TypeVar, cast

from torch import Tensor

from .inverse_problem import InverseProblem
from .noise import Noise
from .sampler import Sampler
from .schedules import ScheduleName, descent


class Descending(Sampler, Protocol):
    """A sampler that goes down a schedule, and can begin there at a noisy image: what follows are its fields."""

    @property
    def schedule(self) -> ScheduleName:
        """Its schedule."""
        ...

    @property
    def sigma_max(self) -> float:
        """First noise level."""
        ...

    @property
    def sigma_min(self) -> float:
        """Last noise level above 0."""
        ...

    @property
    def hot(self) -> bool:
        """Begin at the problem's ``start``, with noise of ``sigma_max`` added, and not at noise alone."""
        ...


S = TypeVar("S", bound=Descending)


def hot_start(sampler: S, t0: float) -> S:
    """Return the last part of a sampler's run, from an image: come-closer-diffuse-faster.

    H. Chung, B. Sim and J. C. Ye, CVPR 2022 (arXiv:2112.05146), Algorithm 1: x(t0) = start + sigma(t0) z, then the
    t0 N last of the N steps. The closer the start, the smaller the t0 that is enough; what the start has wrong and
    sigma(t0) does not cover stays wrong.

    Parameters
    ----------
    sampler
        The whole run.
    t0
        Above 0, at most 1: the whole run, which differs from one without hot start by the mean that it begins with.
        Below one step, sigma(t0) lies between the last level and 0; at least one step is always taken.

    Raises
    ------
    ValueError
        t0 is out of range.
    """
    if not 0 < t0 <= 1:
        raise ValueError(f"t0 is {t0:g}, expected above 0 and at most 1")
    steps = max(1, round(t0 * sampler.steps))
    levels = descent(sampler.schedule, sampler.steps, sampler.sigma_max, sampler.sigma_min)
    sigma = levels[-1 - steps] * min(1.0, t0 * sampler.steps)
    return cast("S", dataclasses.replace(cast("Any", sampler), steps=steps, sigma_max=sigma, hot=True))


def beginning(sampler: Descending, problem: InverseProblem, like: Tensor, noise: Noise) -> Tensor:
    """Return what a run begins with, of the shape of ``like``.

    Raises
    ------
    ValueError
        It is to start at an image, and the problem has none.
    """
    x = sampler.sigma_max * noise(like)
    if not sampler.hot:
        return x
    if problem.start is None:
        raise ValueError("a hot start needs an image to start at: give the problem one, or set hot to false")
    return problem.start + x
