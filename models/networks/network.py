"""What all networks share: how they are built, called, and taken apart for other runtimes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..measurements import Measurements


class Block(NamedTuple):
    """A part of a network that computes with real tensors alone, and so runs in any runtime.

    Physics (Fourier transforms, coils, data consistency) stays outside, in torch.
    """

    path: str
    """Where the module is in the network, as ``nn.Module.get_submodule`` takes it."""
    channels: tuple[int, ...]
    """Channels of each argument: all are (batch, channels, height, width) float32."""
    multiple: int
    """Height and width must be multiples of this; the network pads before it calls the block."""


class Network(nn.Module, ABC):
    """A learnt ``Reconstructor``. Its constructor takes keyword-only plain values, which a recipe or card can name.

    Equivariant to the scale of k-space: a network divides by ``image_scale`` at its entrance and multiplies at its
    exit. Any number of coils, any matrix size, single slices (4-D k-space).
    """

    @abstractmethod
    def forward(self, measurements: Measurements) -> Tensor:
        """Reconstruct: (batch, y, x) complex64."""

    @abstractmethod
    def blocks(self) -> tuple[Block, ...]:
        """List every part that computes with real tensors; all weights but scalars and small matrices are in them."""


def image_scale(image: Tensor) -> Tensor:
    """Return what to divide an image by for an intensity of about 1: the root mean square over its brighter half.

    Parameters
    ----------
    image
        (batch, y, x) complex.

    Returns
    -------
        (batch, 1, 1) real, 1 where the image is zero everywhere.
    """
    power = image.real.square() + image.imag.square()
    flat = power.flatten(1)
    bright = flat >= flat.mean(dim=1, keepdim=True)
    mean = (flat * bright).sum(dim=1) / bright.sum(dim=1)
    return torch.where(mean > 0, mean, torch.ones_like(mean)).sqrt()[:, None, None]  # sqrt has no gradient at 0


def as_channels(image: Tensor) -> Tensor:
    """Return (batch, y, x) complex as (batch, 2, y, x) real: real part, imaginary part."""
    return torch.stack((image.real, image.imag), dim=1)


def as_complex(channels: Tensor) -> Tensor:
    """Return (batch, 2, y, x) real as (batch, y, x) complex."""
    return torch.complex(channels[:, 0].float(), channels[:, 1].float())


def padded(x: Tensor, multiple: int) -> tuple[Tensor, tuple[slice, slice]]:
    """Pad the last two axes with zeros, evenly on both sides, to multiples; return where the original lies."""
    height, width = x.shape[-2:]
    more_y, more_x = -height % multiple, -width % multiple
    top, left = more_y // 2, more_x // 2
    inside = (slice(top, top + height), slice(left, left + width))
    if more_y or more_x:
        x = nn.functional.pad(x, (left, more_x - left, top, more_y - top))
    return x, inside
