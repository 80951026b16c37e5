"""Where images differ, by how much, and whether what differs is a structure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .evidence import Complex, Real

BLOB = 1.5
"""Standard deviation in pixels of the Gaussian that is looked for: about the size of the smallest lesions."""


class Blob(NamedTuple):
    """A connected region above a threshold."""

    row: int
    column: int
    """Of its strongest pixel."""
    area: int
    """Pixels."""
    peak: float


def smoothed(image: Complex, sigma: float = BLOB) -> Real:
    """Return how strongly an image (y, x) correlates with a Gaussian at each pixel.

    Normalised so that white noise of a standard deviation of 1 keeps it: a matched filter.

    Returns
    -------
        (y, x) float32 magnitude, in the unit of the image.
    """
    parts = [ndimage.gaussian_filter(part, sigma, mode="constant", truncate=3) for part in (image.real, image.imag)]
    # the sum of squares of a sampled Gaussian of unit sum is 1 / (4 pi sigma^2)
    return np.asarray(np.hypot(*parts) * np.sqrt(4 * np.pi) * sigma, np.float32)


def peak_over_median(values: Real, body: NDArray[np.bool_]) -> float:
    """Return the largest value of a map in the body over its median there; 0 of a map of zeros."""
    inside = values[body]
    middle = float(np.median(inside)) if inside.size else 0.0
    return float(inside.max()) / middle if middle > 0 else 0.0


def root_mean_square(image: Complex, body: NDArray[np.bool_]) -> float:
    """Return the root mean square over the body; 0 where that is empty."""
    inside = np.abs(image[body]).astype(np.float64)
    return float(np.sqrt(np.mean(inside**2))) if inside.size else 0.0


def roughness(image: Complex, body: NDArray[np.bool_]) -> float:
    """Return the noise that the finest diagonal details of an image in the body look like.

    The median of their magnitudes over that of circular Gaussian noise of a standard deviation of 1, sqrt(ln 2); after
    D. L. Donoho and I. M. Johnstone, Biometrika 81, 425 (1994).
    """
    rows, columns = (n // 2 * 2 for n in image.shape)
    cut = image[:rows, :columns]
    details = (cut[::2, ::2] - cut[::2, 1::2] - cut[1::2, ::2] + cut[1::2, 1::2]) / 2
    inside = np.abs(details[body[:rows:2, :columns:2]])
    return float(np.median(inside) / np.sqrt(np.log(2))) if inside.size else 0.0


def blobs(values: Real, threshold: float) -> tuple[Blob, ...]:
    """Return the connected regions (8 neighbours) of a map above a threshold, the strongest first."""
    labels, count = ndimage.label(values > threshold, structure=np.ones((3, 3), np.int8))
    if count == 0:
        return ()
    numbers = np.arange(1, count + 1)
    places = ndimage.maximum_position(values, labels, numbers)
    areas = np.bincount(labels.ravel())[1:]
    found = [Blob(int(r), int(c), int(a), float(values[r, c])) for (r, c), a in zip(places, areas, strict=True)]
    return tuple(sorted(found, key=lambda blob: -blob.peak))
