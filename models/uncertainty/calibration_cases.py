"""The cases that intervals are calibrated on: simulated scans all over the range that is calibrated for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ..evaluation.case import MASKS, Case, MaskName
from ..evaluation.simulated_cases import simulated_cases
from ..simulation.phantom_grid import resize_centred
from ..trained_range import TrainedRange

_STEP = 8  # pixels, between one matrix size and the next


def calibration_cases(images: NDArray[np.uint8], scope: TrainedRange, *, seed: int) -> Iterator[Case]:
    """Simulate one scan of each image, with acceleration, matrix, coils and SNR of its own.

    Each is a draw from one distribution, which is what risk control asks for: acceleration and SNR are uniform in their
    logarithm, matrix sides (a multiple of 8) and number of coils uniform, each mask as likely as the others. Images are
    resampled to the matrix with the whole head in view.

    Parameters
    ----------
    images
        (N, y, x) uint8, at least as large as the largest matrix.
    scope
        What to draw from; masks by their names in ``MASKS``.
    seed
        Case n depends on the seed, n and the image alone.

    Yields
    ------
        One slice at a time, in SNR units.

    Raises
    ------
    ValueError
        Images are smaller than the largest matrix, no multiple of 8 lies in its range, or a mask is not known.
    """
    low, high = -(-scope.matrix[0] // _STEP), scope.matrix[1] // _STEP
    if low > high or min(images.shape[1:]) < scope.matrix[1]:
        raise ValueError(
            f"matrix is {scope.matrix}, images are {images.shape[1:]}; expected multiples of {_STEP} among the range, "
            "and images as large as its upper end"
        )
    masks: list[MaskName] = [mask for mask in MASKS if mask in scope.masks]
    if len(masks) < len(scope.masks):
        raise ValueError(f"masks are {', '.join(scope.masks)}; known: {', '.join(MASKS)}")
    for number, image in enumerate(images):
        rng = np.random.default_rng([seed, number])
        rows, columns = (int(n) * _STEP for n in rng.integers(low, high, size=2, endpoint=True))
        acceleration, snr = (float(np.exp(rng.uniform(*np.log(ends)))) for ends in (scope.acceleration, scope.snr))
        yield from simulated_cases(
            resampled(image, (rows, columns))[None],
            acceleration,
            mask=masks[rng.integers(len(masks))],
            seed=int(rng.integers(2**32)),
            coils=int(rng.integers(*scope.coils, endpoint=True)),
            snr=snr,
        )


def resampled(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image (y, x) at the lower resolution of a smaller matrix: only the middle of its spectrum is kept."""
    spectrum = fft.fftshift(fft.fft2(image.astype(np.float32), norm="forward"))
    smaller = fft.ifft2(fft.ifftshift(resize_centred(spectrum, shape)), norm="forward").real
    return np.asarray(smaller.round().clip(0, 255), np.uint8)
