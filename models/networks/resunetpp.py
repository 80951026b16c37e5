"""ResUNet++ as a reconstruction: what it finds wrong with an image is taken off."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from ..measurements import Measurements
from .network import Block, Network, as_channels, as_complex, image_scale, padded
from .resunetpp_block import ResUNetPlusPlusBlock
from .start import Start, starting_image


class ResUNetPlusPlus(Network):
    """x = x0 + ResUNet++(x0): D. Jha et al., ISM 2019, with complex images as two channels.

    The reconstruction that T. Han et al. (MICCAI 2024) attack. Sees neither mask nor coils; the result need not agree
    with what was measured.

    Parameters
    ----------
    channels
        Channels at full resolution, doubled at each of three levels below and at the bridge; 16 in the authors' code.
    start
        The image x0, see ``Start``.
    """

    def __init__(self, *, channels: Annotated[int, Field(ge=1)] = 16, start: Start = "zero_filled") -> None:
        super().__init__()
        self.start = start
        self.resunetpp = ResUNetPlusPlusBlock(channels)

    def forward(self, measurements: Measurements) -> Tensor:
        """Reconstruct: (batch, y, x) complex64."""
        image = starting_image(measurements, self.start)
        scale = image_scale(image)
        x, inside = padded(as_channels(image / scale), 8)
        return image + scale * as_complex(self.resunetpp(x)[..., *inside])

    def blocks(self) -> tuple[Block, ...]:
        """List the one network."""
        return (Block("resunetpp", (2,), 8),)
