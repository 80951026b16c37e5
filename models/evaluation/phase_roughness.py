"""How rough the phase of an image is, at several scales: what smooth random phases lack."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

WIDTHS = (1, 2, 4, 8)
"""Standard deviations of the Gaussians, pixels."""
_BODY = 0.1  # of the brightest pixel: what is above counts as body
_NORMAL = 0.6745  # median of the modulus of a standard normal variable


def phase_roughness(image: NDArray[np.complex64], width: float) -> tuple[float, float]:
    """Return how far the phase of a pixel is from that of its surroundings.

    The difference is the angle of x conj(G x), with G a Gaussian low pass: it wraps only where the phase turns by pi
    within its width. Pixels of the body count, those above a tenth of the brightest.

    Parameters
    ----------
    image
        (y, x) complex64, any unit.
    width
        Standard deviation of the Gaussian, pixels.

    Returns
    -------
    rms
        Root mean square of the difference weighted by |x|^2, rad: bright pixels, in which noise counts little.
    robust
        Median of its modulus over that of a standard normal variable, rad: a standard deviation that few outliers
        (vessels, borders) do not move.
    """
    magnitude = np.abs(image)
    body = magnitude > _BODY * magnitude.max()
    smooth = ndimage.gaussian_filter(image.real, width) + 1j * ndimage.gaussian_filter(image.imag, width)
    difference = np.angle(image * smooth.conj())[body]
    rms = np.sqrt(np.average(difference**2, weights=magnitude[body].astype(np.float64) ** 2))
    return float(rms), float(np.median(np.abs(difference)) / _NORMAL)
