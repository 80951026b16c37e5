"""Fully sampled k-space of several coils at a stated signal-to-noise ratio."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..fourier import centred_fft

_BODY = 0.1  # of the brightest pixel: what is above counts as body


def noisy_kspace(
    image: NDArray[np.complex64], sensitivities: NDArray[np.complex64], snr: float, rng: np.random.Generator
) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    """Return what prewhitened coils see of an image, without noise, and the k-space that they measure.

    Parameters
    ----------
    image
        (y, x) complex64, any unit.
    sensitivities
        (coils, y, x) complex64 of the coils after prewhitening.
    snr
        Mean over the body of the root sum of squares of the coils over the standard deviation of the noise; infinite
        for no noise.
    rng
        Source of the noise.

    Returns
    -------
    coil_images
        (coils, y, x) complex64 without noise, in SNR units: the complex noise of a pixel, and of a sample of k-space,
        has a standard deviation of 1. Their mean over the body is 1 where there is no noise.
    kspace
        (coils, ky, kx) complex64, centred orthonormal transform, white noise.
    """
    seen = sensitivities * image
    magnitude = np.sqrt(np.sum(np.abs(seen) ** 2, axis=0))
    body = np.abs(image) >= _BODY * np.abs(image).max()
    mean = float(magnitude[body].mean())
    seen *= np.float32((snr if math.isfinite(snr) else 1.0) / (mean if mean > 0 else 1.0))
    kspace = centred_fft(seen, (-2, -1))
    if math.isfinite(snr):
        parts = rng.standard_normal((*kspace.shape, 2), np.float32) * np.float32(math.sqrt(0.5))
        kspace += parts.view(np.complex64)[..., 0]
    return seen, kspace
