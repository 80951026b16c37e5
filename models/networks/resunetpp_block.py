"""ResUNet++ on real channels."""

from __future__ import annotations

from torch import Tensor, cat, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu

from .atrous_pyramid import AtrousPyramid
from .attention_gate import AttentionGate
from .convolution import SLOPE, activation, convolution, zero_convolution
from .squeeze_excite import SqueezeExcite


class ResUNetPlusPlusBlock(nn.Module):
    """ResUNet++: (batch, 2, y, x) to (batch, 2, y, x), y and x multiples of 8; zero until it is trained.

    D. Jha et al., ISM 2019 (arXiv 1911.07067): stem; three residual units of stride 2; atrous pyramid as bridge; three
    times attention, upsampling, the encoder's features beside, and a residual unit; atrous pyramid. Every residual
    unit squeezes and excites. For complex images two linear channels come out, where the paper has a sigmoid; there is
    no batch norm.

    Parameters
    ----------
    channels
        Channels at full resolution; each of the three levels below has twice as many, and the bridge again.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels << level for level in range(5)]
        self.stem = _Stem(2, widths[0])
        self.encoders = nn.ModuleList(_ResidualUnit(widths[n], widths[n + 1], stride=2) for n in range(3))
        self.bridge = AtrousPyramid(widths[3], widths[4])
        levels = (2, 1, 0)
        self.gates = nn.ModuleList(AttentionGate(widths[n], widths[n + 2]) for n in levels)
        self.decoders = nn.ModuleList(_ResidualUnit(widths[n] + widths[n + 2], widths[n + 1]) for n in levels)
        self.pyramid = AtrousPyramid(widths[1], widths[0])
        self.last = zero_convolution(widths[0], 2)

    def forward(self, x: Tensor) -> Tensor:
        """Compute what the network adds to an image."""
        kept = [self.stem(x)]
        for encoder in self.encoders:
            kept.append(encoder(kept[-1]))
        x = self.bridge(kept.pop())
        for gate, decoder in zip(self.gates, self.decoders, strict=True):
            seen = kept.pop()
            x = decoder(cat((interpolate(gate(seen, x), scale_factor=2.0), seen), dim=1))
        return self.last(self.pyramid(x))


class _Stem(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.main = nn.Sequential(convolution(before, after), activation(), convolution(after, after))
        self.shortcut = convolution(before, after, 1)
        self.excite = SqueezeExcite(after)

    def forward(self, x: Tensor) -> Tensor:
        return self.excite((self.main(x) + self.shortcut(x)) * 2**-0.5)


class _ResidualUnit(nn.Module):
    """Full pre-activation, shortcut included: K. He et al., ECCV 2016, for units that change the number of channels.

    Where the unit strides, its shortcut averages before a 1x1 convolution that sees every pixel: T. He et al., CVPR
    2019. (A 1x1 convolution of stride 2 also corrupts memory in bfloat16 on a CPU: oneDNN of torch 2.13, backward.)
    """

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.main = nn.Sequential(convolution(before, after, stride=stride), activation(), convolution(after, after))
        self.shortcut = convolution(before, after, 1)
        self.excite = SqueezeExcite(after)

    def forward(self, x: Tensor) -> Tensor:
        x = leaky_relu(x, SLOPE)
        shortcut = self.shortcut(avg_pool2d(x, self.stride) if self.stride > 1 else x)
        return self.excite((self.main(x) + shortcut) * 2**-0.5)
