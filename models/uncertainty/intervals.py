"""Intervals about an image: lower end, prediction, upper end for each pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..measurements import Measurements


@dataclass(frozen=True)
class Intervals:
    """Intervals for magnitudes, whose half-widths a calibration stretches by one factor.

    Raises
    ------
    ValueError
        Shapes differ, or a half-width is not above 0: no factor could stretch it.
    """

    prediction: Tensor
    """(...) float, the image, in the unit of the reconstruction."""
    below: Tensor
    """(...) float, from the lower end to the prediction at scale 1; above 0."""
    above: Tensor
    """(...) float, from the prediction to the upper end at scale 1; above 0."""

    def __post_init__(self) -> None:
        if not self.prediction.shape == self.below.shape == self.above.shape:
            shapes = ", ".join(str(tuple(part.shape)) for part in (self.prediction, self.below, self.above))
            raise ValueError(f"prediction, below and above are {shapes}; expected one shape")
        if not bool((self.below > 0).all()) or not bool((self.above > 0).all()):
            raise ValueError("a half-width is 0, negative or NaN; expected a floor below it, from the noise level")

    def lower(self, scale: float) -> Tensor:
        """Return the lower ends; a magnitude is never below 0."""
        return (self.prediction - scale * self.below).clamp(min=0)

    def upper(self, scale: float) -> Tensor:
        """Return the upper ends."""
        return self.prediction + scale * self.above

    def width(self, scale: float) -> Tensor:
        """Return upper minus lower ends."""
        return self.upper(scale) - self.lower(scale)

    def needed_scale(self, truth: Tensor) -> Tensor:
        """Return the smallest scale at which each pixel's interval holds its true magnitude, at least 0."""
        error = truth - self.prediction
        return torch.maximum(error / self.above, -error / self.below)

    def cpu(self) -> Intervals:
        """Return these in the processor's memory."""
        return Intervals(self.prediction.cpu(), self.below.cpu(), self.above.cpu())


def noise_floor(measurements: Measurements) -> float:
    """Return the least half-width: the standard deviation that noise gives a magnitude where all of k-space is sampled.

    Where members of an ensemble agree to the last bit (outside the coil maps they are all 0), their spread says nothing
    of their common error; the noise is what no image can be expected to be nearer to the truth than.

    Raises
    ------
    ValueError
        The noise is not known, or is 0.
    """
    if not measurements.noise:
        raise ValueError("the noise level is not known; intervals need it: measure noise, or estimate it")
    return measurements.noise / math.sqrt(2)  # of one of the two parts of the complex noise


def deviation_intervals(prediction: Tensor, deviation: Tensor, floor: float) -> Intervals:
    """Return prediction -+ scale times the standard deviation.

    Parameters
    ----------
    prediction, deviation
        (...) float, of magnitudes.
    floor
        Least half-width, above 0, in the same unit.
    """
    half = deviation.clamp(min=floor)
    return Intervals(prediction, half, half)


def quantile_intervals(prediction: Tensor, low: Tensor, high: Tensor, floor: float) -> Intervals:
    """Return prediction - scale (prediction - low) to prediction + scale (high - prediction).

    Parameters
    ----------
    prediction, low, high
        (...) float: the image, a low and a high quantile of magnitudes.
    floor
        Least half-width, above 0, in the same unit; also where the prediction is not between the quantiles.
    """
    return Intervals(prediction, (prediction - low).clamp(min=floor), (high - prediction).clamp(min=floor))
