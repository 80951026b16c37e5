"""The denoiser of unrolled networks: an image and what a U-Net adds to it."""

from __future__ import annotations

from torch import Tensor, nn

from .unet_block import UNetBlock


class ResidualDenoiser(nn.Module):
    """D(x) = x + UNet(x) on (batch, 2, y, x); the identity until it is trained.

    Parameters
    ----------
    channels, pools
        Of the U-Net, see ``UNetBlock``.
    """

    def __init__(self, channels: int, pools: int) -> None:
        super().__init__()
        self.unet = UNetBlock(2, 2, channels, pools)

    def forward(self, x: Tensor) -> Tensor:
        """Denoise, in the dtype of the image also under autocast."""
        return x + self.unet(x)
