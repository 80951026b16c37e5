"""Whether an image explains what was measured, and whether what is left over is noise."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..coils.calibration_region import calibration_region
from .evidence import Complex

BANDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"low": (0.0, 0.125), "middle": (0.125, 0.5), "high": (0.5, np.inf)}
)
"""Rings of k-space, by the distance from its centre over half the matrix."""


def radius(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the distance of each point (ky, kx) from the centre of k-space, 1 at the middle of each edge."""
    ky, kx = (2 * (np.arange(n, dtype=np.float32) - n // 2) / n for n in shape)
    return np.hypot(ky[:, None], kx)


def band_ratios(residual: Complex, sampled: NDArray[np.bool_]) -> Mapping[str, NDArray[np.float64]]:
    """Return the root mean square of a residual for each band and coil.

    Parameters
    ----------
    residual
        (coils, ky, kx) in units of the noise.
    sampled
        (ky, kx) bool.

    Returns
    -------
        By band, (coils,): 1 where all that is left is noise, less where the image took up some of it; 0 for a band that
        has no sample.
    """
    power = np.abs(residual) ** 2
    distance = radius(sampled.shape)
    ratios = {}
    for name, (low, high) in BANDS.items():
        ring = sampled & (distance >= low) & (distance < high)
        ratios[name] = np.sqrt(power[:, ring].mean(axis=1, dtype=np.float64)) if ring.any() else np.zeros(len(power))
    return ratios


def isolated_lines(residual: Complex, sampled: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Compare residuals of single lines, those outside the fully sampled centre, in the inner quarter of the readout.

    A worst-case perturbation puts its norm on few of them: on those beside the gaps that an image is filled in from.

    Parameters
    ----------
    residual
        (coils, ky, kx) in units of the noise.
    sampled
        (ky, kx) bool.

    Returns
    -------
    largest
        Root mean square of the line that has most, in units of the noise.
    contrast
        That over the median line's.
    beside_centre
        Mean of the lines within a tenth of the matrix of the centre, over the mean of the centre's.

    All 1 with fewer than three such lines.
    """
    _, height, width = residual.shape
    lines: NDArray[np.bool_] = np.asarray(sampled.any(axis=1))
    centre = calibration_region(lines[None])[1]
    outside = lines.copy()
    outside[max(0, centre.start - 1) : centre.stop + 1] = False
    inner = np.s_[max(0, width // 2 - width // 8) : width // 2 + width // 8 + 1]
    level = np.sqrt(np.mean(np.abs(residual[:, :, inner]) ** 2, axis=(0, 2), dtype=np.float64))
    single = level[outside]
    if len(single) < 3 or not np.median(single) > 0:
        return 1.0, 1.0, 1.0
    near = np.zeros(height, np.bool_)
    near[max(0, centre.start - height // 10) : centre.stop + height // 10] = True
    beside, middle = level[outside & near], level[centre][lines[centre]]
    ratio = float(beside.mean() / middle.mean()) if len(beside) and len(middle) and middle.mean() > 0 else 1.0
    return float(single.max()), float(single.max() / np.median(single)), ratio


def evened(residual: Complex, sampled: NDArray[np.bool_], rings: int = 16) -> Complex:
    """Divide a residual by its root mean square in each narrow ring of k-space, all coils together.

    What is asked of the result, whether it is white and Gaussian, is then no question of where its energy lies.
    """
    ring = np.minimum((radius(sampled.shape) * rings).astype(int), rings - 1)
    power: NDArray[np.float64] = np.sum(np.abs(residual) ** 2, axis=0, dtype=np.float64)
    sums = np.bincount(ring[sampled], power[sampled], rings)
    counts = np.bincount(ring[sampled], minlength=rings) * len(residual)
    level: NDArray[np.float64] = np.sqrt(sums / np.maximum(counts, 1))
    floor = float(np.finfo(np.float32).tiny)
    return np.asarray(residual / np.clip(level, floor, None)[ring], np.complex64)


def lag_correlations(residual: Complex, sampled: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the correlation of neighbours along ky and along kx, both sampled: 0 for white noise, up to 1.

    Parameters
    ----------
    residual
        (coils, ky, kx), as ``evened`` gives it.
    sampled
        (ky, kx) bool.

    Returns
    -------
        Magnitudes; 0 for an axis along which no neighbours were sampled.
    """
    found = []
    for axis in (0, 1):
        first, second = (np.take(residual, _but(edge, residual.shape[axis + 1]), axis + 1) for edge in (-1, 0))
        both = np.take(sampled, _but(-1, sampled.shape[axis]), axis) & np.take(
            sampled, _but(0, sampled.shape[axis]), axis
        )
        power = float(np.sqrt(_energy(first[:, both]) * _energy(second[:, both])))
        found.append(float(abs(np.vdot(first[:, both], second[:, both]))) / power if power > 0 else 0.0)
    along_ky, along_kx = found
    return along_ky, along_kx


def excess_kurtosis(values: Complex) -> float:
    """Return E|v|^4 / (E|v|^2)^2 - 2: 0 for circular Gaussian noise, more where few values are large; 0 of zeros."""
    power = (values.real.astype(np.float64) ** 2 + values.imag.astype(np.float64) ** 2).ravel()
    mean = power.mean() if power.size else 0.0
    return float(np.mean(power**2) / mean**2 - 2) if mean > 0 else 0.0


def spectral_flatness(image: Complex) -> float:
    """Return the geometric over the arithmetic mean of an image's power spectrum, 1 for white Gaussian noise.

    The geometric mean of a chi-squared variable of two degrees of freedom is exp(-0.5772) of its mean (J. D. Johnston,
    IEEE J. Sel. Areas Commun. 6, 314 (1988) for the measure); that is divided out. 0 for an image of zeros.
    """
    power = np.abs(np.fft.fft2(image)).astype(np.float64) ** 2
    mean = power.mean()
    if not mean > 0:
        return 0.0
    logs = np.log(np.maximum(power, 1e-12 * mean))
    return float(np.exp(logs.mean() + np.euler_gamma) / mean)


def _but(edge: int, length: int) -> NDArray[np.intp]:
    """All indices of an axis but the last (-1) or the first (0)."""
    return np.arange(length - 1) + (edge == 0)


def _energy(values: Complex) -> float:
    return float(np.sum(np.abs(values) ** 2, dtype=np.float64))
