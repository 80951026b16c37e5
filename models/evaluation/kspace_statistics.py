"""What the rim of k-space tells: filters and interpolation, and whether noise is white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..fourier import centred_fft

_WHITE = 0.998  # quantile of an image that counts as its brightest
_LINES = 4  # at either edge
_CORNER = 0.1  # share of each axis at either end that makes the corners


def edge_power(magnitude: NDArray[np.floating]) -> tuple[float, float]:
    """Return the power of a magnitude image at the edges of its k-space, over the square of its brightest pixels.

    Interpolation and filters leave nothing there, along the axis that they worked on. White noise of standard
    deviation s, in the unit of the brightest pixels, makes 20 log10(s) of both.

    Parameters
    ----------
    magnitude
        (y, x) real.

    Returns
    -------
    along_y, along_x
        Mean power of the outer four lines at either edge of ky and of kx, dB.
    """
    bright = np.quantile(magnitude, _WHITE)
    power = np.abs(centred_fft((magnitude / bright).astype(np.complex64), (-2, -1))) ** 2
    edges = [np.concatenate([k[:_LINES], k[-_LINES:]]) for k in (power, power.T)]
    return float(10 * np.log10(edges[0].mean())), float(10 * np.log10(edges[1].mean()))


def noise_correlation(kspace: NDArray[np.complex64]) -> tuple[float, float]:
    """Compare the noise of coils in the corners of k-space, where there is least signal.

    Parameters
    ----------
    kspace
        (coils, ky, kx) complex64, fully sampled; two coils or more.

    Returns
    -------
    correlation
        Root mean square of the correlation coefficients between two coils; for N samples of white noise some N^-1/2.
    spread
        Standard deviation of the noisiest coil over that of the quietest.
    """
    coils, *shape = kspace.shape
    ends = [np.r_[0 : round(_CORNER * n), n - round(_CORNER * n) : n] for n in shape]
    noise = kspace[:, ends[0][:, None], ends[1]].reshape(coils, -1)
    covariance = noise @ noise.conj().T
    level = np.sqrt(np.diag(covariance).real)
    between = np.abs(covariance / np.outer(level, level))[~np.eye(coils, dtype=bool)]
    return float(np.sqrt(np.mean(between**2))), float(level.max() / level.min())
