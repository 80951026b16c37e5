"""Where a phantom's pixels lie, and smooth random fields on any set of points.

Phantoms live in normalised coordinates: x runs to the patient's left, y to the back, z to the head, with 0 at the
isocentre and a head within -1 to 1; ``UNIT_MM`` is their unit. Images are (y, x) with row 0 at the front, as axial
slices are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

UNIT_MM = 110.0
"""Millimetres of one normalised length: the phantoms fit a field of view of 220 mm."""

Points = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""x, y, z, broadcastable to one shape, normalised coordinates."""


def pixel_centres(n: int, length: float = 2.0) -> NDArray[np.float64]:
    """Return the coordinates of n pixels over a length, with pixel n // 2 at 0 as the centred FFT has it."""
    return np.asarray((np.arange(n) - n // 2) * (length / n), np.float64)


def slice_points(shape: tuple[int, int], lengths: tuple[float, float] = (2.0, 2.0), z: float = 0.0) -> Points:
    """Return the points of one axial slice.

    Parameters
    ----------
    shape, lengths
        Pixels and field of view (y, x); lengths and z are normalised.
    z
        Where the slice lies.

    Returns
    -------
    tuple
        x (1, columns), y (rows, 1), z (1, 1).
    """
    y, x = (pixel_centres(n, length) for n, length in zip(shape, lengths, strict=True))
    return x[None, :], y[:, None], np.full((1, 1), z)


@dataclass(frozen=True)
class RandomField:
    """A smooth random function of position: cubic B-spline through a lattice of normal deviates.

    Attributes
    ----------
    lattice
        (z, y, x) float64 spline coefficients.
    spacing
        Distance of lattice points, normalised coordinates: about half the shortest wavelength.
    """

    lattice: NDArray[np.float64]
    spacing: float

    @classmethod
    def draw(cls, rng: np.random.Generator, spacing: float, extent: float = 1.3) -> RandomField:
        """Draw a field that covers [-extent, extent] in x, y and z; beyond, it continues by reflection."""
        n = int(np.ceil(2 * extent / spacing)) + 3
        # A cubic B-spline keeps 151 / 315 of the variance of its coefficients along each axis.
        return cls((315 / 151) ** 1.5 * rng.standard_normal((n, n, n)), spacing)

    def __call__(self, points: Points) -> NDArray[np.float64]:
        """Evaluate at points; returns their broadcast shape, mean 0 and variance about 1."""
        x, y, z = np.broadcast_arrays(*points)
        middle = (self.lattice.shape[0] - 1) / 2
        where = np.stack([z, y, x]) / self.spacing + middle
        return np.asarray(ndimage.map_coordinates(self.lattice, where, order=3, mode="mirror", prefilter=False))


def smooth_phase(points: Points, coefficients: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return exp(i phi) with a smooth phi, as field inhomogeneity and radio-frequency phase make it.

    Parameters
    ----------
    points
        Where.
    coefficients
        (10,) of 1, x, y, z, x^2, y^2, z^2, xy, xz, yz in rad: ``rng.normal(scale=strength, size=10)`` draws some.

    Returns
    -------
    ndarray
        Broadcast shape of the points, complex128, modulus 1.
    """
    x, y, z = points
    terms = (np.ones_like(x), x, y, z, x * x, y * y, z * z, x * y, x * z, y * z)
    phi = sum(c * term for c, term in zip(coefficients, terms, strict=True))
    return np.asarray(np.exp(1j * phi))


def fit_to_grid(image: NDArray[np.floating], rows: int, columns: int) -> NDArray[np.float64]:
    """Resample a magnitude image to a grid, keeping its proportions.

    The image is padded with zeros to the grid's shape of pixels, then its Fourier transform is cropped or padded: no
    pixel is shifted, since index n // 2 stays the centre. Negative values from ringing are set to 0.

    Parameters
    ----------
    image
        (y, x) real, square pixels.
    rows, columns
        Size of the grid, square pixels.

    Returns
    -------
    ndarray
        (rows, columns) float64, in the image's units.
    """
    if image.shape == (rows, columns):
        return image.astype(np.float64)
    scale = max(image.shape[0] / rows, image.shape[1] / columns)
    padded = resize_centred(image.astype(np.float64), (round(rows * scale), round(columns * scale)))
    spectrum = fft.fftshift(fft.fft2(fft.ifftshift(padded)))
    resized = fft.fftshift(fft.ifft2(fft.ifftshift(resize_centred(spectrum, (rows, columns)))))
    return np.clip(resized.real * (rows * columns / padded.size), 0, None)


def resize_centred(array: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Crop or zero-pad the last two axes about index n // 2."""
    for axis, size in zip((-2, -1), shape, strict=True):
        n = array.shape[axis]
        if size < n:
            first = n // 2 - size // 2
            array = np.take(array, range(first, first + size), axis=axis)
        elif size > n:
            before = size // 2 - n // 2
            widths = [(0, 0)] * array.ndim
            widths[axis] = (before, size - n - before)
            array = np.pad(array, widths)
    return array
