"""Atrous spatial pyramid pooling: one image seen at several distances at once."""

from __future__ import annotations

from torch import Tensor, nn

from .convolution import convolution

RATES = (1, 2, 4, 6)
"""Dilations: the widest kernel, 13 pixels, fits the map of 16 that three halvings leave of a crop of 128 (the 6, 12
and 18 of segmentation networks would see little but zero padding there)."""


class AtrousPyramid(nn.Module):
    """Sum of dilated 3x3 convolutions, mixed by a 1x1 one: L.-C. Chen et al., arXiv 1706.05587, as in ResUNet++.

    Parameters
    ----------
    in_channels, out_channels
        Channels of argument and result.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(convolution(in_channels, out_channels, dilation=rate) for rate in RATES)
        self.mix = convolution(out_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, y, x) to (batch, out_channels, y, x)."""
        total = self.branches[0](x)
        for branch in self.branches[1:]:
            total = total + branch(x)
        # the sum of n equal variances, back to one
        return self.mix(total * len(RATES) ** -0.5)
