"""Standard normal noise, reproducible for each image whatever it is computed together with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Noise = Callable[[Tensor], Tensor]
"""z ~ N(0, 1) in the real part, and in the imaginary part if complex: of the shape, dtype and device of its argument,
whose values are not looked at. New with every call."""


def batch_noise(generator: torch.Generator) -> Noise:
    """Draw a whole batch from one generator, which is on the device of the images."""

    def draw(like: Tensor) -> Tensor:
        return _standard_normal(like, generator)

    return draw


def item_noise(generators: Sequence[torch.Generator]) -> Noise:
    """Draw each item of a batch from its own generator: it gets the same noise in every batch."""

    def draw(like: Tensor) -> Tensor:
        items = zip(like, generators, strict=True)
        return torch.stack([_standard_normal(item, generator) for item, generator in items])

    return draw


def _standard_normal(like: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(like.shape, dtype=like.dtype, device=like.device, generator=generator)
    # torch gives complex numbers a variance of 1, of both parts together
    return noise * math.sqrt(2) if like.is_complex() else noise
