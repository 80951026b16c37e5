"""The denoiser that is trained on noisy images alone."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, cat

from ..measurements import Measurements
from .network import Block, Network, as_channels, as_complex, image_scale, padded
from .unet_block import UNetBlock


class SureDenoiser(Network):
    """f(y, sigma): a residual U-Net on a noisy image and a map of its noise level (K. Zhang et al., FFDNet, 2018).

    Trained by ``training.sure``, without clean images. As a reconstruction it denoises the zero-filled image A^H y.

    That is all that it does for undersampled scans: aliasing is not noise to it, and stays. Only where k-space is
    sampled fully is the noise of A^H y white, of the standard deviation of a k-space sample; at an acceleration of R
    its variance is 1/R of that, and it is coloured by the sampling, so that f is told the right amount of a noise of
    another kind than it was trained on.

    Parameters
    ----------
    channels, pools
        Of the U-Net, see ``UNetBlock``.
    """

    def __init__(self, *, channels: Annotated[int, Field(ge=1)] = 32, pools: Annotated[int, Field(ge=1)] = 3) -> None:
        super().__init__()
        self.pools = pools
        self.unet = UNetBlock(3, 2, channels, pools)

    def denoise(self, image: Tensor, sigma: Tensor) -> Tensor:
        """Remove noise: (batch, y, x) complex64.

        Parameters
        ----------
        image
            (batch, y, x) complex64, noisy where it is not exactly zero, as it is outside of the coil maps.
        sigma
            Standard deviation of the complex noise, E[|n|^2]^(1/2), in the unit of the image; broadcastable to it.
        """
        scale = image_scale(image)
        level = torch.where(image == 0, 0, sigma / scale)
        x, inside = padded(cat((as_channels(image / scale), level[:, None]), dim=1), 2**self.pools)
        return image + scale * as_complex(self.unet(x)[..., *inside])

    def forward(self, measurements: Measurements) -> Tensor:
        """Denoise the zero-filled image: (batch, y, x) complex64.

        Raises
        ------
        ValueError
            The noise level of the measurements is unknown.
        """
        return self.denoise(measurements.zero_filled(), zero_filled_noise(measurements))

    def blocks(self) -> tuple[Block, ...]:
        """List the one U-Net."""
        return (Block("unet", (3,), 2**self.pools),)


def zero_filled_noise(measurements: Measurements) -> Tensor:
    """Return the standard deviation of the complex noise of A^H y inside the maps, (batch, 1, 1) float32.

    The transform is unitary and the maps are normalised: the noise of k-space times the root of the sampled share.

    Raises
    ------
    ValueError
        The noise level of the measurements is unknown.
    """
    if measurements.noise is None:
        raise ValueError(
            "the measurements have no noise level, which the denoiser goes by: prewhiten the scan by a noise scan, "
            "or state the standard deviation of its noise"
        )
    share: Tensor = measurements.acceleration().rsqrt()[:, None, None]
    return measurements.noise * share
