"""The U-Net baseline of fastMRI: artefacts of an image are removed in one go."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from ..measurements import Measurements
from .network import Block, Network, as_channels, as_complex, image_scale, padded
from .start import Start, starting_image
from .unet_block import UNetBlock


class UNet(Network):
    """x = x0 + UNet(x0): J. Zbontar et al., arXiv 1811.08839, with complex images as two channels.

    Sees neither mask nor coils; the result need not agree with what was measured.

    Parameters
    ----------
    channels
        Channels at full resolution, doubled at each level below; 32 in the paper.
    pools
        Levels below full resolution; 4 in the paper.
    start
        The image x0, see ``Start``; zero-filled in the paper.
    """

    def __init__(
        self,
        *,
        channels: Annotated[int, Field(ge=1)] = 32,
        pools: Annotated[int, Field(ge=1)] = 4,
        start: Start = "zero_filled",
    ) -> None:
        super().__init__()
        self.pools, self.start = pools, start
        self.unet = UNetBlock(2, 2, channels, pools)

    def forward(self, measurements: Measurements) -> Tensor:
        """Reconstruct: (batch, y, x) complex64."""
        image = starting_image(measurements, self.start)
        scale = image_scale(image)
        x, inside = padded(as_channels(image / scale), 2**self.pools)
        return image + scale * as_complex(self.unet(x)[..., *inside])

    def blocks(self) -> tuple[Block, ...]:
        """List the one U-Net."""
        return (Block("unet", (2,), 2**self.pools),)
