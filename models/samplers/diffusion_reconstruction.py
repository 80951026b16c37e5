"""Samples of what a scan may show: several images of one slice, by a prior and a sampler."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..measurements import Measurements
from ..priors.prior import Prior
from .draw import draw
from .noise import item_noise
from .posed import Posed, pose
from .sampler import Sampler


@dataclass(frozen=True)
class Samples:
    """Images that agree with a scan and a prior, and how they came about."""

    images: Tensor
    """(samples, [z,] y, x) complex64 in the unit of k-space; zero where all coil maps are."""
    posed: Posed
    """What was made of the scan."""
    steps: int
    """Steps taken."""
    requested: int
    """Steps that the sampler was set to; more than were taken where a deadline was set."""
    expired: bool
    """The deadline came before the last step: these are the best estimates until then."""
    together: int
    """Samples drawn together: fewer than all where memory was short."""


def sample(
    measurements: Measurements,
    prior: Prior,
    sampler: Sampler,
    *,
    seeds: Sequence[int],
    seconds: float | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Samples:
    """Draw samples of one slice or volume.

    A sample is a function of the scan and its seed: the same whatever it is drawn together with (on a CPU to the bit,
    if the prior is).

    Parameters
    ----------
    measurements
        One slice or volume, on the device of the prior.
    prior, sampler
        What to draw by.
    seeds
        One for each sample, at least one.
    seconds
        All that may be taken; ``draw`` takes fewer steps if need be.
    progress
        Told steps done and in all, of all samples, after each step.
    cancelled
        Asked after each step.

    Raises
    ------
    ValueError
        As ``pose``.
    CancelledError
        ``cancelled`` said so.
    torch.OutOfMemoryError
        Not even one sample fits the device.
    """
    began = time.monotonic()
    posed = pose(measurements)
    inside = measurements.maps.abs().amax(dim=1) > 0
    images: list[Tensor] = []
    steps, expired, together = sampler.steps, False, len(seeds)
    while len(images) < len(seeds):
        first, left = len(images), len(seeds) - len(images)
        group = seeds[first : first + together]
        try:
            drawn = draw(
                sampler,
                posed.problem.repeated(len(group)),
                prior,
                item_noise([torch.Generator(inside.device).manual_seed(seed) for seed in group]),
                seconds=None if seconds is None else (seconds - (time.monotonic() - began)) * len(group) / left,
                progress=partial(_tell, progress, first, len(group), len(seeds)),
                cancelled=cancelled,
            )
        except torch.OutOfMemoryError:
            if together == 1:
                raise
            together = -(-together // 2)
            continue
        images += drawn.images
        steps, expired = min(steps, drawn.steps), expired or drawn.expired
    return Samples(torch.stack(images) * posed.scale * inside, posed, steps, sampler.steps, expired, together)


def _tell(progress: Callable[[int, int], None], first: int, group: int, samples: int, done: int, steps: int) -> None:
    progress(first * steps + group * done, samples * steps)


def sample_seeds(seed: int, place: Sequence[int], samples: int) -> list[int]:
    """Return a seed for each sample of an image: always the same, and others for every image and number.

    Parameters
    ----------
    seed
        Of the session.
    place
        What tells the image apart from the others of a scan, numbers at least 0.
    samples
        How many.
    """
    entropy = [seed, len(place), *place]
    return [int(np.random.SeedSequence([*entropy, n]).generate_state(1, np.uint64)[0] >> 1) for n in range(samples)]


def diffusion_ensemble(
    prior: Prior, sampler: Sampler, samples: int, *, seed: int = 0
) -> Callable[[Measurements], Iterator[Tensor]]:
    """Return samples of a batch of slices as an ``Ensemble``: (batch, y, x) complex64 at a time."""

    def ensemble(measurements: Measurements) -> Iterator[Tensor]:
        slices = [
            sample(one, prior, sampler, seeds=sample_seeds(seed, (n,), samples)).images
            for n, one in enumerate(measurements.split())
        ]
        yield from torch.stack(slices, dim=1)

    return ensemble
