"""The Shepp-Logan phantom, in closed form in image space and in k-space.

Sources: L. A. Shepp and B. F. Logan, IEEE Trans. Nucl. Sci. 21, 21 (1974); contrast of P. A. Toft, PhD thesis (1996);
third dimension as in M. C. Schabel's ``phantom3d``. Fourier transforms: A. C. Kak and M. Slaney, Principles of
Computerized Tomographic Imaging (1988), and for ellipsoids C. G. Koay et al., Magn. Reson. Med. 58, 430 (2007).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .phantom_grid import Points

ELLIPSOID_DTYPE = np.dtype([("intensity", "f8"), ("axes", "f8", (3,)), ("centre", "f8", (3,)), ("angle", "f8")])
"""An ellipsoid: intensity (added to what lies below), semi-axes and centre (x, y, z) in normalised coordinates with y
to the front, rotation about z in degrees, counter-clockwise as seen with the front up."""

SHEPP_LOGAN = np.array(
    [
        (1.0, (0.69, 0.92, 0.81), (0.0, 0.0, 0.0), 0.0),
        (-0.8, (0.6624, 0.874, 0.78), (0.0, -0.0184, 0.0), 0.0),
        (-0.2, (0.11, 0.31, 0.22), (0.22, 0.0, 0.0), -18.0),
        (-0.2, (0.16, 0.41, 0.28), (-0.22, 0.0, 0.0), 18.0),
        (0.1, (0.21, 0.25, 0.41), (0.0, 0.35, 0.0), 0.0),
        (0.1, (0.046, 0.046, 0.05), (0.0, 0.1, 0.0), 0.0),
        (0.1, (0.046, 0.046, 0.05), (0.0, -0.1, 0.0), 0.0),
        (0.1, (0.046, 0.023, 0.05), (-0.08, -0.605, 0.0), 0.0),
        (0.1, (0.023, 0.023, 0.02), (0.0, -0.606, 0.0), 0.0),
        (0.1, (0.023, 0.046, 0.05), (0.06, -0.605, 0.0), 0.0),
    ],
    ELLIPSOID_DTYPE,
)
"""Shepp-Logan with the modified contrast. Depths are those of ``phantom3d``, centred so that the plane z = 0 is the 2-D
phantom with all its ten ellipses."""


def ellipsoid_image(ellipsoids: NDArray[np.void], points: Points) -> NDArray[np.float64]:
    """Sum the intensities of the ellipsoids that hold each point.

    Parameters
    ----------
    ellipsoids
        (K,) of ``ELLIPSOID_DTYPE``.
    points
        Where (y to the back, as in images).

    Returns
    -------
    ndarray
        Broadcast shape of the points, float64.
    """
    x, y, z = points
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape))
    for e in ellipsoids:
        u, v = _rotated(x - e["centre"][0], -y - e["centre"][1], e["angle"])
        a, b, c = e["axes"]
        total += e["intensity"] * ((u / a) ** 2 + (v / b) ** 2 + ((z - e["centre"][2]) / c) ** 2 <= 1)
    return total


def slice_through(ellipsoids: NDArray[np.void], z: float) -> NDArray[np.void]:
    """Return the ellipses that a plane z cuts out of the ellipsoids, with the same intensities."""
    cut = ellipsoids.copy()
    height = ((z - cut["centre"][:, 2]) / cut["axes"][:, 2]) ** 2
    cut["axes"][:, :2] *= np.sqrt(np.clip(1 - height, 0, None))[:, None]
    return np.asarray(cut[height < 1], ELLIPSOID_DTYPE)


def ellipse_kspace(
    ellipses: NDArray[np.void], kx: NDArray[np.float64], ky: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Return the exact 2-D Fourier transform of ellipses, the integral of f exp(-2 pi i (kx x + ky y)).

    Parameters
    ----------
    ellipses
        (K,) of ``ELLIPSOID_DTYPE``; z is not looked at (see ``slice_through``).
    kx, ky
        Spatial frequencies, broadcastable, cycles per normalised length, y to the back.
    """
    total = np.zeros(np.broadcast_shapes(kx.shape, ky.shape), np.complex128)
    for e in ellipses:
        u, v = _rotated(kx, -ky, e["angle"])
        a, b, _ = e["axes"]
        r = np.hypot(a * u, b * v)
        with np.errstate(invalid="ignore", divide="ignore"):
            disc = np.where(r < 1e-9, np.pi, special.j1(2 * np.pi * r) / r)
        total += e["intensity"] * a * b * disc * _shift(e, kx, ky)
    return total


def ellipsoid_kspace(
    ellipsoids: NDArray[np.void], kx: NDArray[np.float64], ky: NDArray[np.float64], kz: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Return the exact 3-D Fourier transform of ellipsoids; arguments as in ``ellipse_kspace``."""
    total = np.zeros(np.broadcast_shapes(kx.shape, ky.shape, kz.shape), np.complex128)
    for e in ellipsoids:
        u, v = _rotated(kx, -ky, e["angle"])
        a, b, c = e["axes"]
        q = 2 * np.pi * np.sqrt((a * u) ** 2 + (b * v) ** 2 + (c * kz) ** 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            # 3 j1(q) / q -> 1 - q^2 / 10: the difference of sine and cosine cancels for small q
            ball = np.where(q < 1e-3, 1 - q * q / 10, 3 * (np.sin(q) - q * np.cos(q)) / q**3)
        total += e["intensity"] * (4 * np.pi / 3) * a * b * c * ball * _shift(e, kx, ky, kz)
    return total


def sampled_kspace(
    ellipses: NDArray[np.void], shape: tuple[int, int], lengths: tuple[float, float]
) -> NDArray[np.complex128]:
    """Return the closed-form k-space on an encoded grid, in the units of a centred orthonormal FFT of the image.

    Parameters
    ----------
    ellipses
        As for ``ellipse_kspace``.
    shape
        (ky, kx) of the encoded grid.
    lengths
        Encoded field of view (y, x), normalised.

    Returns
    -------
    ndarray
        (ky, kx) complex128, k = 0 at index n // 2.
    """
    ky, kx = ((np.arange(n) - n // 2) / length for n, length in zip(shape, lengths, strict=True))
    scale = np.sqrt(shape[0] * shape[1]) / (lengths[0] * lengths[1])
    return np.asarray(ellipse_kspace(ellipses, kx[None, :], ky[:, None]) * scale, np.complex128)


def _rotated(x: NDArray[np.float64], y: NDArray[np.float64], degrees: float) -> tuple[NDArray[np.float64], ...]:
    angle = np.deg2rad(degrees)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _shift(
    e: np.void, kx: NDArray[np.float64], ky: NDArray[np.float64], kz: NDArray[np.float64] | float = 0.0
) -> NDArray[np.complex128]:
    x, y, z = e["centre"]
    return np.asarray(np.exp(-2j * np.pi * (kx * x - ky * y + kz * z)), np.complex128)
