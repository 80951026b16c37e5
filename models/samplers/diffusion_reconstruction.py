"""Samples of what a scan may show: several images of one slice, by a prior and a sampler."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..measurements import Measurements, Reconstructor
from ..priors.prior import Prior
from ..priors.slice_prior import TOGETHER, SlicePrior
from .draw import draw
from .noise import item_noise
from .posed import Posed, pose
from .sampler import Sampler

_SAMPLES = 32
"""Of one slice, at most, that are drawn together: enough to fill a device, and more do not take more memory."""
_IMAGES = 16
"""Complex images that a sampler of volumes keeps, with its conjugate gradients."""


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
    """Samples drawn together, at most 32: fewer where memory was short; of volumes always one."""


def sample(
    measurements: Measurements,
    prior: Prior,
    sampler: Sampler,
    *,
    seeds: Sequence[int],
    start: Reconstructor | None = None,
    seconds: float | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Samples:
    """Draw samples of one slice or volume.

    A sample is a function of the scan and its seed: the same whatever it is drawn together with (on a CPU to the bit,
    if the prior is). A volume is one problem, of one intensity and one noise level, whatever was sampled of its
    partitions; its slices are denoised one by one.

    Parameters
    ----------
    measurements
        One slice or volume, on the device of the prior.
    prior, sampler
        What to draw by; the prior is one of slices.
    seeds
        One for each sample, at least one.
    start
        As ``pose`` takes it.
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
    posed = pose(measurements, start)
    inside = measurements.maps.abs().amax(dim=1) > 0
    images: list[Tensor] = []
    volume = inside.ndim == 4
    if volume:
        prior = SlicePrior(prior)
    # the slices of one volume fill a device, several volumes only its memory
    steps, expired, together = sampler.steps, False, 1 if volume else min(len(seeds), _SAMPLES)
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


def sample_bytes(measurements: Measurements, samples: int, pixel_bytes: float) -> float:
    """Return about how much memory ``sample`` takes per pixel, besides that of k-space and maps.

    Parameters
    ----------
    measurements
        One slice or volume.
    samples
        How many.
    pixel_bytes
        Of the prior, for a pixel of one slice.
    """
    if measurements.kspace.ndim == 4:
        return min(samples, _SAMPLES) * pixel_bytes + 3 * 8 * samples  # and all samples when they are finished
    slices, coils = measurements.kspace.shape[2], measurements.kspace.shape[1]
    # one volume at a time: its images in double, those of its slices in turn, and all samples when they are finished
    return pixel_bytes * min(1.0, TOGETHER / slices) + 8 * (_IMAGES + 3 * samples + 2 * coils)


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
    prior: Prior, sampler: Sampler, samples: int, *, start: Reconstructor | None = None, seed: int = 0
) -> Callable[[Measurements], Iterator[Tensor]]:
    """Return samples of a batch of slices as an ``Ensemble``: (batch, y, x) complex64 at a time."""

    def ensemble(measurements: Measurements) -> Iterator[Tensor]:
        slices = [
            sample(one, prior, sampler, seeds=sample_seeds(seed, (n,), samples), start=start).images
            for n, one in enumerate(measurements.split())
        ]
        yield from torch.stack(slices, dim=1)

    return ensemble
