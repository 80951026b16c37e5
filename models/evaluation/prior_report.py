"""A prior in figures: its samples beside data, its denoising, and what its highest noise level leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..model_card import Metric
from .bootstrap import bootstrap_interval
from .gaussian_start import LIMIT, distance_from_noise
from .image_statistics import BACKGROUND, BANDS, image_statistics, magnitude_distance

SAMPLES, HELD_OUT, TRAINING = "samples", "held-out images", "training images"
DENOISING, START = "denoising of held-out images", "start of sampling"
SUBJECTS = (SAMPLES, HELD_OUT, TRAINING, DENOISING, START)
"""What the cases of all figures begin with."""

_DISTANCE = "Wasserstein-1 distance of magnitudes from held-out images"
_NAMES = {
    "mean": "mean magnitude",
    "deviation": "SD of magnitude",
    "part": "rms of real and imaginary part",
    "background": f"share of pixels below {BACKGROUND:g}",
    "middle": f"power at {BANDS[0]:g} to {BANDS[1]:g} cycles/pixel over that below, dB",
    "high": f"power at {BANDS[1]:g} to {BANDS[2]:g} cycles/pixel over that below {BANDS[0]:g}, dB",
    "phase_gradient": "phase gradient, rad/pixel",
}


@dataclass(frozen=True)
class Compared:
    """Sets of images, (N, y, x) complex64 on the CPU in the unit of the prior, and how each came about."""

    samples: Tensor
    held_out: Tensor
    training: Tensor
    """Compared with the held-out ones in the same way: how much images differ that are no prior's."""
    sampling: str
    """Sampler, steps, size."""
    held_out_source: str


def prior_metrics(
    compared: Compared, errors: Mapping[float, NDArray[np.float64]], sigma_max: float
) -> tuple[Metric, ...]:
    """Return all figures, for a card.

    Parameters
    ----------
    compared
        The images.
    errors
        ``denoising_errors`` of held-out images.
    sigma_max
        The prior's highest noise level.
    """
    samples = f"{SAMPLES} ({len(compared.samples)}, {compared.sampling})"
    held_out = f"{HELD_OUT} ({len(compared.held_out)}, {compared.held_out_source})"
    training = f"{TRAINING} ({len(compared.training)})"
    sets = {samples: compared.samples, held_out: compared.held_out, training: compared.training}
    statistics = {case: image_statistics(images) for case, images in sets.items()}
    metrics = [
        _mean(case, name, getattr(found, field)) for field, name in _NAMES.items() for case, found in statistics.items()
    ]
    for case in (samples, training):
        value = magnitude_distance(sets[case], compared.held_out)
        metrics.append(Metric(case=case, metric=_DISTANCE, value=value))
    metrics += [_mean(DENOISING, f"rms error over sigma, sigma = {level:g}", found) for level, found in errors.items()]
    start = f"{START} (sigma = {sigma_max:g})"
    ratio = float(statistics[held_out].part.mean()) / sigma_max
    distance = distance_from_noise(compared.held_out, sigma_max)
    return (
        *metrics,
        Metric(case=start, metric=f"{_NAMES['part']} of held-out images over sigma", value=ratio),
        Metric(
            case=start, metric=f"total variation distance from noise alone, bound (limit {LIMIT:g})", value=distance
        ),
    )


def _mean(case: str, name: str, values: NDArray[np.float64]) -> Metric:
    return Metric(case=case, metric=name, value=float(values.mean()), interval=bootstrap_interval(values))
