"""Physiological waveforms as a scanner records them, from a heart rate and a breathing rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HEART_PERIOD = 0.9
"""Seconds from one R wave to the next."""
BREATH_PERIOD = 4.2
"""Seconds from one start of inhalation to the next."""

_ECG = ((0.00, 0.012, 1.0), (-0.030, 0.010, -0.15), (0.030, 0.010, -0.25), (-0.16, 0.025, 0.15), (0.26, 0.045, 0.3))
# (seconds from the R wave, width in s, height) of R, Q, S, P and T
_PULSE = ((0.40, 0.06, 1.0), (0.65, 0.09, 0.35))
# systolic peak and the wave after the dicrotic notch


def electrocardiogram(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an ECG whose R waves, at multiples of ``HEART_PERIOD``, have height 1.

    Source: sum-of-Gaussians model of P. E. McSharry et al., IEEE Trans. Biomed. Eng. 50, 289 (2003).

    Parameters
    ----------
    time
        Seconds from the scan's start.
    """
    return _beats(time, _ECG)


def pulse(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a pulse oximeter's curve, 0 to 1, delayed against the R wave, with its dicrotic notch."""
    return _beats(time, _PULSE)


def respiration(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a breathing belt's curve, 0 (exhaled) to 1, with the rest after exhalation."""
    return np.asarray((0.5 - 0.5 * np.cos(2 * np.pi * time / BREATH_PERIOD)) ** 2)


def _beats(time: NDArray[np.float64], waves: Sequence[tuple[float, float, float]]) -> NDArray[np.float64]:
    total = np.zeros_like(time)
    for at, width, height in waves:
        since = (time - at + HEART_PERIOD / 2) % HEART_PERIOD - HEART_PERIOD / 2
        total += height * np.exp(-((since / width) ** 2) / 2)
    return total
