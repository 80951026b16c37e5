"""Trajectories through k-space: radial and spiral.

Units are cycles per pixel, -0.5 to 0.5, (kx, ky): times the pixels of an axis, they are cycles per field of view.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GOLDEN_ANGLE = np.pi * (np.sqrt(5) - 1) / 2
"""111.246 degrees. S. Winkelmann et al., IEEE Trans. Med. Imaging 26, 68 (2007)."""


def spoke_angles(spokes: int, *, golden: bool = False) -> NDArray[np.float64]:
    """Return the angles of spokes to the x axis in rad, (spokes,): evenly over half a turn, or by the golden angle."""
    number = np.arange(spokes)
    return np.asarray(np.mod(number * GOLDEN_ANGLE, 2 * np.pi) if golden else number * (np.pi / spokes), np.float64)


def radial(angles: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """Return spokes from edge to edge of k-space, sample ``samples // 2`` at its centre: (spokes, samples, 2)."""
    along = (np.arange(samples) - samples // 2) / samples
    return np.asarray(along[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)[:, None], np.float64)


def spiral(
    interleaves: int, pixels: int, *, spacing: float = 1.0, undersampling: float = 1.0, dense: float = 0.0
) -> NDArray[np.float64]:
    """Return Archimedean spirals from the centre of k-space outwards, run through at constant speed.

    Constant speed is a constant gradient; the slew rate that the first turn would need is not limited.

    Parameters
    ----------
    interleaves
        Arms, each turned against the one before; together their turns lie 1 cycle per field of view apart.
    pixels
        Of the longer axis of the image.
    spacing
        From sample to sample along an arm, at most, in cycles per field of view.
    undersampling
        So many times further apart the turns lie outside of the centre: dual density (C.-M. Tsai and D. G. Nishimura,
        Magn. Reson. Med. 43, 452 (2000)).
    dense
        Diameter of that centre in cycles per field of view.

    Returns
    -------
        (interleaves, samples, 2) float64.
    """
    samples = spiral_samples(interleaves, pixels, spacing=spacing, undersampling=undersampling, dense=dense)
    fine = np.linspace(0, pixels / 2, max(1000, 64 * pixels))
    theta, length = _arm(fine, interleaves, undersampling, dense)
    along = np.linspace(0, length[-1], samples)
    turned = np.interp(along, length, theta) + 2 * np.pi * np.arange(interleaves)[:, None] / interleaves
    radius = np.interp(along, length, fine) / pixels
    return np.asarray(radius[:, None] * np.stack([np.cos(turned), np.sin(turned)], axis=-1), np.float64)


def spiral_samples(
    interleaves: int, pixels: int, *, spacing: float = 1.0, undersampling: float = 1.0, dense: float = 0.0
) -> int:
    """Return the samples of each arm of ``spiral``."""
    _, length = _arm(np.array(pixels / 2), interleaves, undersampling, dense)
    return int(np.ceil(float(length) / spacing)) + 1


def _arm(
    radius: NDArray[np.float64], interleaves: int, undersampling: float, dense: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angle of an arm at radii in cycles per field of view, and its length until there."""
    inner = interleaves / (2 * np.pi)  # outwards by as many cycles a turn as there are arms
    outer = inner * undersampling
    bend = np.minimum(radius, dense / 2)
    length = inner * _length(bend / inner) + outer * (_length(radius / outer) - _length(bend / outer))
    return bend / inner + (radius - bend) / outer, length


def _length(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of the arm r = theta."""
    return np.asarray((theta * np.hypot(1, theta) + np.arcsinh(theta)) / 2)
