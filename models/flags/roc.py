"""How well a number tells two groups apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def area_under_curve(negatives: NDArray[np.float64], positives: NDArray[np.float64]) -> float:
    """Return the probability that a positive's value is above a negative's, ties counted half (Mann-Whitney)."""
    ranks = rankdata(np.concatenate([negatives, positives]))[len(negatives) :]
    m, n = len(negatives), len(positives)
    return float((ranks.sum() - n * (n + 1) / 2) / (m * n))


def area_interval(
    negatives: NDArray[np.float64],
    positives: NDArray[np.float64],
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the area, both groups drawn with replacement."""
    rng = np.random.default_rng(seed)
    above = (positives > negatives[:, None]) + 0.5 * (positives == negatives[:, None])
    m, n = above.shape
    drawn = (rng.multinomial(k, np.full(k, 1 / k), size=resamples) for k in (m, n))
    areas = np.sum((next(drawn) @ above) * next(drawn), axis=1) / (m * n)
    low, high = np.quantile(areas, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)
