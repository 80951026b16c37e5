"""What images are like as a set: numbers by which samples of a prior are compared with data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BACKGROUND = 0.1
"""In the unit of a prior, an intensity of about 1: what is darker counts as background."""
BANDS = (0.1, 0.25, 0.5)
"""Upper ends of the low, middle and high spatial frequencies, cycles a pixel."""
_QUANTILES = (np.arange(2000) + 0.5) / 2000

Values = NDArray[np.float64]


@dataclass(frozen=True)
class ImageStatistics:
    """Each (N,) float64, one value an image; magnitudes in the unit of the prior."""

    mean: Values
    """Mean magnitude, of the whole image."""
    deviation: Values
    """Standard deviation of the magnitude over the image."""
    background: Values
    """Share of pixels that are background."""
    middle: Values
    """Power a coefficient of the middle spatial frequencies over that of the low ones, dB."""
    high: Values
    """The same of the high ones."""
    phase_gradient: Values
    """Length of the gradient of the phase, mean over the body (pixels above the background, as are those right of and
    below them), rad a pixel."""
    part: Values
    """Root mean square of the real and the imaginary part: what ``sigma_data`` stands for."""


def image_statistics(images: Tensor) -> ImageStatistics:
    """Return the statistics of images.

    Parameters
    ----------
    images
        (N, y, x) complex, on the CPU, in the unit of the prior.
    """
    magnitude = images.abs().double()
    low, middle, high = _band_powers(images)
    values = {
        "mean": magnitude.mean(dim=(1, 2)),
        "deviation": magnitude.flatten(1).std(dim=1, correction=0),
        "background": (magnitude < BACKGROUND).double().mean(dim=(1, 2)),
        "middle": 10 * torch.log10(middle / low),
        "high": 10 * torch.log10(high / low),
        "phase_gradient": _phase_gradient(images),
        "part": (magnitude.square().mean(dim=(1, 2)) / 2).sqrt(),
    }
    return ImageStatistics(**{name: value.numpy() for name, value in values.items()})


def magnitude_distance(images: Tensor, others: Tensor) -> float:
    """Return the Wasserstein-1 distance between the magnitudes of all pixels of two sets of images, in their unit.

    How far magnitudes have to be shifted, on average, for one histogram to become the other: the mean difference of
    their quantiles.
    """
    quantiles = [np.quantile(one.abs().numpy(), _QUANTILES) for one in (images, others)]
    return float(np.abs(quantiles[0] - quantiles[1]).mean())


def _band_powers(images: Tensor) -> list[Tensor]:
    """Mean power of the Fourier coefficients in each band, (N,) float64 each; corners above the last are left out."""
    power = torch.fft.fft2(images.to(torch.complex128), norm="ortho").abs().square()
    ky, kx = (torch.fft.fftfreq(n, dtype=torch.float64) for n in images.shape[1:])
    radius = torch.hypot(ky[:, None], kx[None, :])
    edges = zip((-1.0, *BANDS), BANDS, strict=False)
    return [power[:, (radius > inner) & (radius <= outer)].mean(dim=1) for inner, outer in edges]


def _phase_gradient(images: Tensor) -> Tensor:
    here, right, below = images[:, :-1, :-1], images[:, :-1, 1:], images[:, 1:, :-1]
    body = (torch.stack((here, right, below)).abs() >= BACKGROUND).all(dim=0)
    # the phase of the quotient, not the difference of phases: it does not wrap
    length = torch.hypot((right * here.conj()).angle(), (below * here.conj()).angle()).double()
    return (length * body).sum(dim=(1, 2)) / body.sum(dim=(1, 2)).clamp(min=1)
