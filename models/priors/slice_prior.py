"""A prior of slices as one of stacks of them."""

from __future__ import annotations

import torch
from torch import Tensor

from .prior import Prior

TOGETHER = 8
"""Slices, at most, that are denoised in one batch: what a network takes of memory does not grow with the stack."""


class SlicePrior:
    """A prior of slices as one of stacks, (batch, z, y, x), whose slices do not depend on each other."""

    def __init__(self, slices: Prior) -> None:
        self._slices, self.sigmas = slices, slices.sigmas

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise every slice; see ``Prior``."""
        parts = torch.split(x.flatten(0, 1), TOGETHER)
        levels = torch.split(sigma.repeat_interleave(x.shape[1]), TOGETHER) if sigma.ndim else [sigma] * len(parts)
        denoised = [self._slices.denoise(part, level) for part, level in zip(parts, levels, strict=True)]
        return torch.cat(denoised).reshape(x.shape)
