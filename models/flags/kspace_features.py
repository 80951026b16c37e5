"""Whether samples, lines and coils of k-space fit their neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .evidence import Complex

NEIGHBOURS = 9
"""Samples along the readout, or lines, that one is compared with the median of."""


def spike_ratio(kspace: Complex, sampled: NDArray[np.bool_]) -> float:
    """Return the largest ratio of a sample, all coils together, to the median of its neighbours along the readout.

    Noise adds to the median, so that the rim of k-space does not stand out by chance.

    Parameters
    ----------
    kspace
        (coils, ky, kx) k-space, or a residual, in units of the noise.
    sampled
        (ky, kx) bool.

    Returns
    -------
        About 1 to 2 for noise; 0 if nothing was sampled.
    """
    strength = np.sqrt(np.sum(np.abs(kspace) ** 2, axis=0))
    lines = np.flatnonzero(sampled.any(axis=1))
    if len(lines) == 0:
        return 0.0
    around = ndimage.median_filter(strength[lines], size=(1, NEIGHBOURS))
    ratio = strength[lines] / (around + np.sqrt(len(kspace)))
    return float(ratio[sampled[lines]].max())


def line_levels(kspace: Complex, sampled: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the root mean square of each sampled line, all coils together: (lines,), in units of the noise."""
    lines = np.flatnonzero(sampled.any(axis=1))
    power = np.sum(np.abs(kspace[:, lines]) ** 2, axis=(0, 2), dtype=np.float64)
    return np.sqrt(power / (len(kspace) * np.maximum(sampled[lines].sum(axis=1), 1)))


def jumps(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by what factor each line differs from the median of its neighbours, as a natural logarithm.

    Parameters
    ----------
    levels
        (lines,) as ``line_levels``, positive or 0.

    Returns
    -------
        (lines,), not negative. The level of the noise is added to each, so that none is a logarithm of nothing.
    """
    logs = np.log1p(levels)
    return np.asarray(np.abs(logs - ndimage.median_filter(logs, size=NEIGHBOURS, mode="mirror")), np.float64)


def column_ratio(residual: Complex, sampled: NDArray[np.bool_]) -> float:
    """Return the largest ratio of a column's root mean square to the median of its neighbours': interference."""
    lines = sampled.any(axis=1)
    if not lines.any():
        return 0.0
    level = np.sqrt(np.mean(np.abs(residual[:, lines]) ** 2, axis=(0, 1), dtype=np.float64))
    around = ndimage.median_filter(level, size=NEIGHBOURS, mode="wrap")
    return float((level / (around + np.finfo(np.float32).tiny)).max())


def line_coherence(kspace: Complex, sampled: NDArray[np.bool_]) -> float:
    """Return by how much the most deviant of neighbouring centre lines turns in phase against the others, in radians.

    The correlation of one line with the next, over readout and coils, has a phase that the object's place gives and
    that varies slowly; what moved between two lines makes it jump.

    Parameters
    ----------
    kspace
        (coils, ky, kx).
    sampled
        (ky, kx) bool.

    Returns
    -------
        Largest difference of a pair's phase from the circular mean of all, weighted by the pair's coherence; 0 with
        fewer than three pairs.
    """
    rows = np.flatnonzero(sampled.any(axis=1))
    pairs = rows[:-1][np.diff(rows) == 1]
    middle = kspace.shape[1] // 2
    pairs = pairs[np.abs(pairs - middle) <= 12]
    if len(pairs) < 3:
        return 0.0
    products = np.array([np.vdot(kspace[:, row], kspace[:, row + 1]) for row in pairs])
    powers = np.array(
        [np.linalg.norm(kspace[:, row]) * np.linalg.norm(kspace[:, row + 1]) for row in pairs], np.float64
    )
    coherence = products / np.maximum(powers, np.finfo(np.float32).tiny)
    mean = coherence.mean()
    turned = np.abs(np.angle(coherence * np.conj(mean))) * np.abs(coherence)
    return float(turned.max())


def coil_dropout(kspace: Complex) -> float:
    """Return the median coil's root sum of squares over the weakest one's, as a natural logarithm, at most 10."""
    energy = np.sqrt(np.sum(np.abs(kspace) ** 2, axis=(1, 2), dtype=np.float64))
    middle = float(np.median(energy))
    return min(10.0, float(np.log(middle / max(float(energy.min()), 1e-30)))) if middle > 0 else 0.0
