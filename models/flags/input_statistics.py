"""What a scan is like: numbers that tell whether it resembles those that a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .evidence import Evidence
from .residual_features import radius

_FLOOR = 1e-6
_TINY = float(np.finfo(np.float32).tiny)


def input_statistics(evidence: Evidence) -> Mapping[str, float]:
    """Describe contrast, size and spectrum of what was scanned, whatever its unit.

    Returns
    -------
        ``decay``: slope of log amplitude over log distance from the centre of k-space; ``decay_high``: the same beyond
        a quarter of the matrix. ``support``: share of the image that is body. ``dark``, ``middle``, ``bright``: 10th,
        50th and 90th percentile of the body's magnitude over the 99th. ``edges``: mean gradient of the magnitude in the
        body over the mean magnitude. ``elongation``: longer over shorter axis of the body. ``fill``: share of the body
        that was bright in itself, without its holes. ``symmetry``: correlation of the image with its mirror image.
    """
    magnitude = np.abs(evidence.conventional).astype(np.float64)
    body = evidence.body
    inside = magnitude[body]
    top = max(float(np.quantile(inside, 0.99)), _TINY)
    gradient = np.hypot(*np.gradient(magnitude))[body]
    rows, columns = np.nonzero(body)
    spread = np.linalg.eigvalsh(np.cov(np.stack([rows, columns]))) if len(rows) > 2 else np.ones(2)
    slope, slope_high = _decays(evidence)
    return {
        "decay": slope,
        "decay_high": slope_high,
        "support": float(body.mean()),
        "dark": float(np.quantile(inside, 0.1)) / top,
        "middle": float(np.quantile(inside, 0.5)) / top,
        "bright": float(np.quantile(inside, 0.9)) / top,
        "edges": float(gradient.mean() / max(float(inside.mean()), _TINY)),
        "elongation": float(np.sqrt(spread[1] / max(spread[0], _FLOOR))),
        "fill": float(np.mean(inside >= 0.1 * magnitude.max())),
        "symmetry": _symmetry(np.where(body, magnitude, 0.0)),
    }


def _decays(evidence: Evidence) -> tuple[float, float]:
    """Slopes of log amplitude over log radius; the signal's, with the power of the noise taken off."""
    power: NDArray[np.float64] = np.mean(np.abs(evidence.kspace) ** 2, axis=0, dtype=np.float64)
    distance = radius(evidence.sampled.shape)
    edges = np.geomspace(0.02, 1.0, 13)
    centres, levels = [], []
    for low, high in pairwise(edges):
        ring = evidence.sampled & (distance >= low) & (distance < high)
        if ring.any():
            centres.append(np.log(low * high) / 2)
            levels.append(np.log(max(power[ring].mean() - 1, 0.0) + 0.01) / 2)
    slopes = []
    for first in (0.0, 0.25):
        chosen = [n for n, centre in enumerate(centres) if np.exp(centre) >= first]
        enough = len(chosen) >= 3
        slopes.append(float(np.polyfit(np.take(centres, chosen), np.take(levels, chosen), 1)[0]) if enough else 0.0)
    return slopes[0], slopes[1]


def _symmetry(image: NDArray[np.float64]) -> float:
    """Correlation with the mirror image about the best of the two axes through the centre of mass."""
    total = image.sum()
    if not total > 0:
        return 0.0
    best = 0.0
    for axis in (0, 1):
        profile = image.sum(axis=1 - axis)
        centre = float((profile * np.arange(len(profile))).sum() / total)
        shift = round(2 * centre - (len(profile) - 1))
        mirrored = np.roll(np.flip(image, axis), shift, axis)
        best = max(best, float((image * mirrored).sum() / (image**2).sum()))
    return best
