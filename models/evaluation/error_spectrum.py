"""Where in k-space an image is wrong: its error in bands of spatial frequency, beside what there is."""

from __future__ import annotations

import torch
from torch import Tensor

from .metrics import fitted_magnitude

BANDS = (0.05, 0.1, 0.2, 0.35, 0.75)
"""Upper ends, cycles a pixel; the first begins at 0, the last holds the corners."""


def spectral_errors(image: Tensor, reference: Tensor) -> Tensor:
    """Compare the spectra of magnitudes after one least-squares scale, band by band.

    Parameters
    ----------
    image, reference
        (batch, y, x) complex or real.

    Returns
    -------
        (batch, bands) float64: energy of the error in each of ``BANDS`` over that of the reference in the same band: 0
        for no error, 1 for a band that is missing.
    """
    r = reference.abs().double()
    error, true = (torch.fft.fft2(part).abs().square() for part in (fitted_magnitude(image, reference) - r, r))
    ky, kx = (torch.fft.fftfreq(n, dtype=torch.float64) for n in r.shape[1:])
    band = torch.bucketize(torch.hypot(ky[:, None], kx[None, :]), torch.tensor(BANDS, dtype=torch.float64))
    inside = [band == number for number in range(len(BANDS))]
    return torch.stack([error[:, part].sum(dim=1) / true[:, part].sum(dim=1) for part in inside], dim=1)
