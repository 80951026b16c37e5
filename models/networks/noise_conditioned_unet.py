"""The U-Net of diffusion priors: residual blocks that are told the noise level."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, normalize, pixel_shuffle, pixel_unshuffle, scaled_dot_product_attention

from .convolution import activation, convolution, doubling_convolution, zero_convolution

_FOLD = 2
"""Pixels a side that are folded into channels: convolutions at half the resolution take a quarter of the time."""
_FREQUENCIES = 4


class NoiseConditionedUNet(nn.Module):
    """(batch, 3, y, x), of which the last channel is the noise level everywhere, to (batch, 2, y, x); begins as zero.

    Pixels are folded into channels first and unfolded last (W. Shi et al., CVPR 2016; as in FFDNet, K. Zhang et al.,
    2018). Between, a U-Net of residual blocks whose levels meet by addition, without normalisation (DRUNet, K. Zhang et
    al., IEEE TPAMI 44, 6360 (2022)): a matrix of another size has other statistics. Each block is scaled and shifted by
    what an embedding of the noise level says (E. Perez et al., FiLM, AAAI 2018), as diffusion models are.

    Parameters
    ----------
    channels
        Of the residual blocks at each level, from fine to coarse.
    blocks
        Residual blocks at each level on the way down, and as many on the way up.
    embedding
        Features of the noise level.
    heads
        Of attention between all places of the coarsest level, by which its channels are divided; 0: none.

    Raises
    ------
    ValueError
        The channels of the coarsest level are no multiple of the heads.
    """

    def __init__(self, channels: tuple[int, ...], blocks: int, embedding: int, heads: int = 0) -> None:
        super().__init__()
        folded = 2 * _FOLD**2
        self.embed = nn.Sequential(
            nn.Conv2d(2 * _FREQUENCIES, embedding, 1), activation(), nn.Conv2d(embedding, embedding, 1), activation()
        )
        self.first = convolution(folded, channels[0])
        self.contract = nn.ModuleList(_Blocks(width, blocks, embedding) for width in channels)
        self.attention = _Attention(channels[-1], heads) if heads else nn.Identity()
        steps = list(itertools.pairwise(channels))
        self.widen = nn.ModuleList(convolution(fine, coarse) for fine, coarse in steps)
        self.upsample = nn.ModuleList(doubling_convolution(coarse, fine) for fine, coarse in reversed(steps))
        self.expand = nn.ModuleList(_Blocks(width, blocks, embedding) for width in reversed(channels[:-1]))
        self.last = nn.Conv2d(channels[0], folded, 3, padding=1, bias=False)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Compute what the preconditioning adds to the noisy image."""
        condition = self.embed(_features(x[:, 2:, :1, :1]))
        x = self.first(pixel_unshuffle(x[:, :2], _FOLD))
        kept = []
        for level, blocks in enumerate(self.contract):
            if level:
                kept.append(x)
                x = self.widen[level - 1](avg_pool2d(x, 2))
            x = blocks(x, condition)
        x = self.attention(x)
        for upsample, blocks in zip(self.upsample, self.expand, strict=True):
            x = blocks(upsample(x) + kept.pop(), condition)
        return pixel_shuffle(self.last(x), _FOLD)

    @staticmethod
    def multiple(levels: int) -> int:
        """Return what height and width must be multiples of."""
        return _FOLD * 2 ** (levels - 1)


class _ConditionedBlock(nn.Module):
    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.before, self.after = convolution(channels, channels), convolution(channels, channels)
        nn.init.zeros_(self.after.weight)
        self.scale_and_shift = nn.Conv2d(embedding, 2 * channels, 1)
        nn.init.zeros_(self.scale_and_shift.weight)
        assert self.scale_and_shift.bias is not None
        nn.init.zeros_(self.scale_and_shift.bias)
        self.activation = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.scale_and_shift(condition).chunk(2, dim=1)
        hidden = self.before(self.activation(x)) * (1 + scale) + shift
        return x + self.after(self.activation(hidden))


class _Blocks(nn.ModuleList):
    def __init__(self, channels: int, number: int, embedding: int) -> None:
        super().__init__(_ConditionedBlock(channels, embedding) for _ in range(number))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        for block in self:
            x = block(x, condition)
        return x


class _Attention(nn.Module):
    """What every place takes from all others, added to it; begins as nothing.

    A. Vaswani et al., NeurIPS 2017, several heads, on an image's places without their positions. Queries and keys are
    brought to length 1 (A. Henry et al., EMNLP Findings 2020), and how sharply they are compared is learnt: nothing
    else normalises here, and values stay in the unit of the image.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(
                f"channels of the coarsest level: got {channels}, expected a multiple of the {heads} heads"
            )
        self.heads = heads
        self.look = convolution(channels, 3 * channels, 1)
        self.log_sharpness = nn.Parameter(torch.full((heads, 1, 1), math.log(10.0)))
        self.add = zero_convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, *size = x.shape
        parts = self.look(x).reshape(batch, 3, self.heads, channels // self.heads, -1).transpose(-2, -1)
        query, key, value = parts.unbind(dim=1)  # (batch, heads, places, channels of a head)
        query = normalize(query, dim=-1) * self.log_sharpness.exp()
        seen = scaled_dot_product_attention(query, normalize(key, dim=-1), value, scale=1.0)
        return x + self.add(seen.transpose(-2, -1).reshape(batch, channels, *size))


def _features(level: Tensor) -> Tensor:
    """(batch, 1, 1, 1) to (batch, 2 frequencies, 1, 1): sines and cosines, of which the slowest tell all levels apart.

    Levels lie within about -1.5 to 1.5.
    """
    angles = torch.cat([level * (math.pi / 4 * 2**n) for n in range(_FREQUENCIES)], dim=1)
    return torch.cat((angles.sin(), angles.cos()), dim=1)
