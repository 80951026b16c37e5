"""Which regions of an image are in doubt."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .evidence import Evidence, Real
from .image_features import smoothed

SIDE = 16
"""Pixels."""
REGION_FEATURES = ("misfit", "misfit_contrast", "disagreement_contrast")
"""Logarithms, of a region's largest value: how strongly k-space contradicts the image, over the noise, and over the
median of the body; how far the judged and the conventional image disagree, over the median of the body."""
_LEAST = 1e-3


def region_features(evidence: Evidence) -> NDArray[np.float64]:
    """Return ``REGION_FEATURES`` of each square of ``SIDE`` pixels, the last ones smaller where it does not divide.

    Returns
    -------
        (rows, columns, features)
    """
    misfit = smoothed(evidence.misfit)
    apart = smoothed(evidence.judged - evidence.conventional)
    body = evidence.body
    maps = (misfit, misfit / _median(misfit[body]), apart / _median(apart[body]))
    return np.stack([np.log(np.maximum(_largest(one), _LEAST)) for one in maps], axis=-1)


def region_map(evidence: Evidence, intercept: float, weights: Mapping[str, float]) -> Real:
    """Return the probability that each pixel's region shows what k-space does not.

    Parameters
    ----------
    evidence
        Of the slice.
    intercept, weights
        Of a logistic regression on ``REGION_FEATURES``.

    Returns
    -------
        (y, x) float32, constant over each region, 0 in regions without body.
    """
    score = intercept + region_features(evidence) @ np.array([weights[name] for name in REGION_FEATURES])
    probability = 1 / (1 + np.exp(-np.clip(score, -80, 80)))
    probability[_largest(evidence.body.astype(np.float32)) == 0] = 0
    rows, columns = evidence.body.shape
    whole = probability.repeat(SIDE, axis=0).repeat(SIDE, axis=1)
    return np.asarray(whole[:rows, :columns], np.float32)


def _largest(values: Real) -> NDArray[np.float64]:
    """(rows, columns) maximum of each square."""
    padding = [(0, -n % SIDE) for n in values.shape]
    padded = np.pad(values, padding)
    rows, columns = (n // SIDE for n in padded.shape)
    return np.asarray(padded.reshape(rows, SIDE, columns, SIDE).max(axis=(1, 3)), np.float64)


def _median(values: Real) -> float:
    """Median, but never so small that a ratio to it leaves single precision."""
    if not values.size:
        return 1.0
    return max(float(np.median(values)), 1e-6 * float(values.max()), float(np.finfo(np.float32).tiny))
