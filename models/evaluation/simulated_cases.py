"""Cases whose truth is known, simulated from magnitude images at their full resolution."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from ..simulation.noisy_kspace import noisy_kspace
from ..simulation.random_coils import random_sensitivities
from ..simulation.random_phase import random_phase
from .case import MASKS, Case, MaskName, undersampled

COILS = 8
SNR = 40.0
DISTANCE = 1.8
_CORRELATION = 0.3  # share of the noise that the coils have in common


def simulated_cases(
    images: NDArray[np.uint8],
    acceleration: float,
    *,
    mask: MaskName = "uniform",
    seed: int = 0,
    coils: int = COILS,
    snr: float = SNR,
    distance: float = DISTANCE,
) -> Iterator[Case]:
    """Simulate a scan of each image: by default 8 coils, SNR 40; a random phase, coils and lines of its own.

    The reference is the root sum of squares of the noise-free coil images. That the images were made by magnitude
    reconstruction, some of them filtered, makes such figures better than those of real scans: E. Shimron et al., PNAS
    119, e2117203119 (2022).

    Parameters
    ----------
    images
        (N, y, x) uint8.
    acceleration
        R, all lines counted.
    mask
        Kind of undersampling.
    seed
        Case n depends on the seed, n and the image alone; its phase, coils and noise are the same at any R.
    coils
        How many.
    snr
        Mean signal of the body over the noise of a fully sampled image.
    distance
        Of the coils from the middle, in half fields of view.

    Yields
    ------
        One slice at a time.
    """
    for number, pixels in enumerate(images):
        yield simulated_case(
            pixels, number, acceleration, mask=mask, seed=seed, coils=coils, snr=snr, distance=distance
        )


def simulated_case(
    pixels: NDArray[np.uint8],
    number: int,
    acceleration: float,
    *,
    mask: MaskName = "uniform",
    seed: int = 0,
    coils: int = COILS,
    snr: float = SNR,
    distance: float = DISTANCE,
) -> Case:
    """Simulate a scan of image ``number``, (y, x) uint8, as ``simulated_cases``, which has the other arguments."""
    scan_rng, mask_rng = np.random.default_rng([seed, number]).spawn(2)
    magnitude = pixels.astype(np.float32) / 255
    image = magnitude * random_phase(pixels.shape, scan_rng)
    sensitivities = random_sensitivities(coils, pixels.shape, scan_rng, distance, _CORRELATION)
    coil_images, kspace = noisy_kspace(image, sensitivities, snr, scan_rng)
    reference = np.sqrt(np.sum(np.abs(coil_images) ** 2, axis=0))
    lines = MASKS[mask](pixels.shape[0], acceleration, mask_rng)
    measurements = undersampled(kspace, lines, noise=1.0)
    return Case("simulated", acceleration, mask, measurements, torch.from_numpy(reference)[None], number)
