"""What is known of an ensemble while its images come in: mean, spread, quantiles, intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from .intervals import Intervals, deviation_intervals, quantile_intervals
from .pooled import pooled_deviation
from .running_moments import RunningMoments
from .running_quantiles import RunningQuantiles

Construction = Literal["deviation", "quantiles"]
"""``deviation``: image -+ standard deviation, pooled over neighbouring pixels (``pooled_deviation``); ``quantiles``:
from the 5 % to the 95 % quantile of each pixel alone."""
NOMINAL: Mapping[Construction, float] = MappingProxyType({"deviation": 1.6449, "quantiles": 1.0})
"""The scale of intervals that are taken as they come: for 90 % of the truth by the standard deviation of Gaussian
samples; the quantiles themselves. Few samples have too narrow quantiles: of 32 they hold 85 %, of 8 they hold 70 %."""
_LEVELS = (0.05, 0.95)


class RunningEnsemble:
    """Statistics of complex images that come one after the other, in bounded memory.

    Parameters
    ----------
    generator
        As ``RunningQuantiles`` takes it.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.images = RunningMoments()
        """Of the complex images."""
        self.magnitudes = RunningMoments()
        """Of their magnitudes."""
        self.quantiles = RunningQuantiles(generator)
        """Of their magnitudes."""

    def add(self, image: Tensor) -> None:
        """Take one more image, (...) complex64, like all before it."""
        magnitude = image.abs()
        self.images.add(image)
        self.magnitudes.add(magnitude)
        self.quantiles.add(magnitude)

    def intervals(self, construction: Construction, floor: float) -> Intervals:
        """Return intervals about the magnitude of the mean image.

        Parameters
        ----------
        construction
            How half-widths are made of the spread.
        floor
            Least half-width, above 0, in the images' unit (``noise_floor``).

        Raises
        ------
        ValueError
            Fewer than two images have come, or the floor is not above 0 where the spread is 0.
        """
        return _CONSTRUCTIONS[construction](self, floor)


def _by_deviation(ensemble: RunningEnsemble, floor: float) -> Intervals:
    return deviation_intervals(ensemble.images.mean.abs(), pooled_deviation(ensemble.magnitudes.deviation), floor)


def _by_quantiles(ensemble: RunningEnsemble, floor: float) -> Intervals:
    low, high = ensemble.quantiles.quantiles(_LEVELS)
    return quantile_intervals(ensemble.images.mean.abs(), low, high, floor)


_CONSTRUCTIONS: Mapping[Construction, Callable[[RunningEnsemble, float], Intervals]] = MappingProxyType(
    {"deviation": _by_deviation, "quantiles": _by_quantiles}
)
