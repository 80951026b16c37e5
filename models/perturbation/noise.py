"""Noise by specification: of a distribution, a spectrum along the readout and a covariance between coils."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .counter_random import Distribution, chance, fast, key_of
from .readout_kinds import Noise

_AT_ONCE = 2**18
"""Random numbers made at once, 1 MiB of them: more leave the cache, fewer make each one's share of calls felt."""


def with_noise(
    samples: NDArray[np.complex64],
    numbers: NDArray[np.int64],
    noise: Noise,
    *,
    seed: int,
    scan: NDArray[np.complex128] | None = None,
    level: float | None = None,
    purpose: str = "noise",
) -> NDArray[np.complex64]:
    """Add noise to readouts.

    Parameters
    ----------
    samples
        (N, coils, samples) complex64, any strides or alignment.
    numbers
        (N,) numbers of the readouts: with the seed they determine the noise, whatever block a readout is in.
    noise
        What to add.
    seed
        Of the random numbers.
    scan
        (coils, coils) covariance E[n n^H] of the scan's own noise in these samples, where ``noise`` refers to it.
    level
        Standard deviation of the complex noise in the unit of the samples; needed with the unit ``snr``, see
        ``level_of``.
    purpose
        Readouts of equal number and purpose get equal noise.

    Returns
    -------
        (N, coils, samples) complex64, a new array, or ``samples`` where nothing is added.

    Raises
    ------
    ValueError
        The scan's noise is needed and not known, or the covariance is of another number of coils.
    """
    if noise.nothing:
        return samples
    count, coils, length = samples.shape
    factor = _coil_factor(noise, coils, scan, noise.level if level is None else level)
    shape = _amplitudes(noise, length)
    key, added = key_of(seed, purpose), np.empty(samples.shape, np.complex64)
    plain = shape is None and noise.distribution != "impulsive"  # else something comes between number and level
    alike = plain and factor.ndim == 1 and bool((factor == factor[0]).all())
    deviation = float(factor[0].real) if alike else 1.0
    step = max(1, _AT_ONCE // (2 * coils * length))
    for first in range(0, count, step):
        part = slice(first, first + step)
        made = _independent(key, numbers[part], coils * length, noise, deviation).reshape(-1, coils, length)
        if shape is not None:
            made = np.fft.ifft(np.fft.fft(made, axis=2) * shape, axis=2).astype(np.complex64, copy=False)
        if factor.ndim == 2:
            made = np.matmul(factor, made)
        elif not alike:
            parts = made.view(np.float32)  # products of complex numbers would be four each
            np.multiply(parts, factor[:, None], out=parts)
        np.add(samples[part], made, out=added[part])
    return added


def level_of(noise: Noise, energy: float, count: int) -> float:
    """Return the standard deviation of complex noise at the SNR of ``noise``.

    Parameters
    ----------
    noise
        Of the unit ``snr``.
    energy
        Sum of |y|^2 over the samples of an image.
    count
        Their number, coils counted.
    """
    return math.sqrt(energy / max(count, 1)) / noise.level


def _independent(
    key: int, numbers: NDArray[np.int64], count: int, noise: Noise, deviation: float
) -> NDArray[np.complex64]:
    """(N, count) complex64 of this standard deviation in each part; without another, the factor has the level."""
    distribution: Distribution = "laplace" if noise.distribution == "laplace" else "gaussian"
    made = fast(key, numbers, 2 * count, distribution, deviation).view(np.complex64)
    if noise.distribution == "impulsive":
        share, ratio = noise.impulse_share, noise.impulse_ratio
        hit = chance(key ^ 1, numbers, count, share)
        made *= np.where(hit, np.float32(ratio), np.float32(1)) / np.float32(math.sqrt(1 - share + share * ratio**2))
    return made


def _coil_factor(
    noise: Noise, coils: int, scan: NDArray[np.complex128] | None, level: float
) -> NDArray[np.complex64] | NDArray[np.float32]:
    """L with L L^H / 2 the covariance wanted: (coils, coils), or (coils,) where it is diagonal."""
    if scan is None and (noise.unit == "scan_noise" or noise.coils == "scan"):
        raise ValueError("the noise of the scan is not known")
    covariance = np.eye(coils, dtype=np.complex128)
    if noise.covariance is not None:
        parts = np.array(noise.covariance, np.float64)
        covariance = parts[..., 0] + 1j * parts[..., 1]
    elif scan is not None and noise.coils == "scan":
        covariance = scan
    elif scan is not None and noise.unit == "scan_noise":
        covariance = np.diag(np.diagonal(scan))
    if len(covariance) != coils:
        raise ValueError(f"the covariance is one of {len(covariance)} coils, the readouts have {coils}")
    mean = float(np.trace(covariance).real) / coils
    if scan is not None and noise.unit == "scan_noise":
        level *= math.sqrt(float(np.trace(scan).real) / coils)
    if mean <= 0:
        raise ValueError("the covariance has no positive variance")
    covariance = covariance * (level**2 / mean / 2)
    if not np.count_nonzero(covariance - np.diag(np.diagonal(covariance))):
        return np.sqrt(np.diagonal(covariance).real).astype(np.float32)
    values, vectors = np.linalg.eigh((covariance + covariance.conj().T) / 2)
    if values[0] < -1e-6 * values[-1]:
        raise ValueError("the covariance is not positive semidefinite")
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.conj().T  # the Hermitian root is unique
    return root.astype(np.complex64)


def _amplitudes(noise: Noise, length: int) -> NDArray[np.float32] | None:
    """(length,) amplitude at each frequency of ``numpy.fft``, of mean square 1; None for white noise."""
    if noise.spectrum == "white":
        return None
    frequency = np.abs(np.fft.fftfreq(length))
    if noise.spectrum == "pink":
        power = 1 / np.maximum(frequency, 1 / length)
    else:
        power = 1 / (1 - 2 * noise.correlation * np.cos(2 * np.pi * frequency) + noise.correlation**2)
    return np.sqrt(power / power.mean()).astype(np.float32)
