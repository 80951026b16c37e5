"""Images as what was measured: for methods that reconstruct, but are to denoise."""

from __future__ import annotations

import torch
from torch import Tensor

from .measurements import Measurements
from .operators.fourier import FourierOperator


def image_measurements(images: Tensor, noise: float | None) -> Measurements:
    """Return images as fully sampled k-space of one coil that sees everything alike: A is unitary, A^H y the image.

    Parameters
    ----------
    images
        (batch, y, x) complex64.
    noise
        Standard deviation of the complex noise of a pixel, which is that of a k-space sample; None where unknown.
    """
    batch, height = images.shape[:2]
    return Measurements(
        kspace=FourierOperator((-2, -1))(images[:, None]),
        mask=torch.ones((batch, 1, height, 1), dtype=torch.bool, device=images.device),
        maps=torch.ones_like(images[:, None]),
        noise=noise,
    )
