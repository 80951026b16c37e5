"""Confidence intervals of a mean by the bootstrap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bootstrap_interval(
    values: NDArray[np.float64], *, level: float = 0.95, resamples: int = 4000, seed: int = 0
) -> tuple[float, float] | None:
    """Return the percentile interval of the mean over slices.

    B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. Slices of one subject resemble
    one another, so the interval says how sure the mean over such slices is, not over subjects.

    Parameters
    ----------
    values
        (N,) one a slice.
    level
        Probability that the interval is to have.
    resamples
        Draws, with replacement.
    seed
        The same seed gives the same interval.

    Returns
    -------
        Lower and upper end; None of fewer than two values.
    """
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)
