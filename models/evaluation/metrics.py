"""How near an image is to its reference: PSNR, SSIM and NRMSE of magnitudes after one least-squares scale."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Scores:
    """Measures of a batch of slices."""

    psnr: Tensor
    """(batch,) float64, dB, against the reference's maximum."""
    ssim: Tensor
    """(batch,) float64, at most 1; Z. Wang et al., IEEE Trans. Image Process. 13, 600 (2004), Gaussian window of
    standard deviation 1.5, data range the reference's maximum."""
    nrmse: Tensor
    """(batch,) float64: norm of the error over norm of the reference."""


def fitted_magnitude(image: Tensor, reference: Tensor) -> Tensor:
    """Return |image| times the scale that brings each slice nearest to |reference|, (batch, y, x) float64.

    Parameters
    ----------
    image, reference
        (batch, y, x) complex or real.
    """
    x, r = image.abs().double(), reference.abs().double()
    scale = (x * r).sum(dim=(1, 2)) / x.square().sum(dim=(1, 2)).clamp(min=torch.finfo(torch.float64).tiny)
    return x * scale[:, None, None]


def scores(image: Tensor, reference: Tensor) -> Scores:
    """Compare magnitudes, slice by slice.

    Parameters
    ----------
    image, reference
        (batch, y, x) complex or real, at least 11 x 11.

    Raises
    ------
    ValueError
        The shapes differ, or a reference is zero everywhere.
    """
    if image.shape != reference.shape or image.ndim != 3:
        raise ValueError(
            f"image is {tuple(image.shape)}, reference is {tuple(reference.shape)}; expected the same (batch, y, x)"
        )
    from torchmetrics.functional.image import structural_similarity_index_measure  # takes a second to import

    x, r = fitted_magnitude(image, reference), reference.abs().double()
    peak = r.amax(dim=(1, 2))
    if not bool((peak > 0).all()):
        raise ValueError("a reference is zero everywhere, expected an image")
    error = x - r
    psnr = 20 * torch.log10(peak / error.square().mean(dim=(1, 2)).sqrt())
    nrmse = (error.square().sum(dim=(1, 2)) / r.square().sum(dim=(1, 2))).sqrt()
    # SSIM is the same for images and data range scaled alike, so that slices of any peak can go in one call; in single
    # precision it differs by less than 1e-6 and takes a fifteenth of the time
    x, r = ((part / peak[:, None, None])[:, None].float() for part in (x, r))
    ssim = structural_similarity_index_measure(x, r, data_range=1.0, reduction="none")
    assert isinstance(ssim, Tensor)
    return Scores(psnr, ssim.reshape(-1).double(), nrmse)
