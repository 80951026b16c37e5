"""The U-Net on real channels: the part that other networks use as regulariser."""

from __future__ import annotations

from torch import Tensor, cat, nn

from .convolution import activation, convolution, doubling_convolution, zero_convolution


class UNetBlock(nn.Module):
    """U-Net: (batch, in_channels, y, x) to (batch, out_channels, y, x); zero until it is trained.

    O. Ronneberger et al., MICCAI 2015, in the form of J. Zbontar et al., arXiv 1811.08839 (fastMRI), without
    normalisation and biases: homogeneous in its argument, see ``convolution``.

    Parameters
    ----------
    in_channels, out_channels
        Channels of argument and result.
    channels
        Channels at full resolution; each level below has twice as many.
    pools
        Levels below full resolution; height and width must be multiples of ``2**pools``.
    """

    def __init__(self, in_channels: int, out_channels: int, channels: int, pools: int) -> None:
        super().__init__()
        widths = [channels << level for level in range(pools + 1)]
        befores = [in_channels, *widths[:-1]]
        self.contract = nn.ModuleList(_two(before, width) for before, width in zip(befores, widths, strict=True))
        self.upsample = nn.ModuleList(_upsample(2 * width, width) for width in widths[-2::-1])
        self.expand = nn.ModuleList(_two(2 * width, width) for width in widths[-2::-1])
        self.last = zero_convolution(channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Compute what the network adds to an image."""
        kept = [self.contract[0](x)]
        for contract in self.contract[1:]:
            kept.append(contract(nn.functional.avg_pool2d(kept[-1], 2)))
        x = kept.pop()
        for upsample, expand in zip(self.upsample, self.expand, strict=True):
            x = expand(cat((kept.pop(), upsample(x)), dim=1))
        return self.last(x)


def _two(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(convolution(before, after), activation(), convolution(after, after), activation())


def _upsample(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(doubling_convolution(before, after), activation())
