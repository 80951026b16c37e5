"""The zero-filled image, and its brightness: the unit in which iterative methods compute."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..measurements import Measurements
from ..networks.network import image_scale


@dataclass(frozen=True, kw_only=True)
class ZeroFilled:
    """A^H y: what was not sampled is zero, and the coils are combined by their maps. Slices or volumes."""

    def __call__(self, measurements: Measurements, /) -> Tensor:
        """Reconstruct: (batch, [z,] y, x) complex64."""
        return measurements.zero_filled()


def brightness(image: Tensor) -> Tensor:
    """Return the root mean square over the brighter half of each image of a batch, 1 for one that is zero everywhere.

    Parameters
    ----------
    image
        (batch, [z,] y, x) complex, usually zero-filled.

    Returns
    -------
        (batch, [1,] 1, 1) real.
    """
    flat = image.flatten(1)
    peak = flat.abs().amax(dim=1, keepdim=True)
    peak = torch.where(peak > 0, peak, torch.ones_like(peak))  # squares of raw data may leave single precision
    scale = peak * image_scale((flat / peak).unsqueeze(1)).flatten(1)
    return scale.view(-1, *(1,) * (image.ndim - 1))
