"""Stacks of slices that are measured one by one."""

from __future__ import annotations

import torch
from torch import Tensor

from .linear_operator import LinearOperator


class Slicewise(LinearOperator):
    """Apply the operator of a batch of slices to stacks of them: image (batch, z, y, x) to (batch, z, ...).

    Parameters
    ----------
    slices
        Maps (z, y, x) to measurements (z, ...), each slice by itself: a ``SenseOperator`` of maps (z, coils, y, x).
    """

    def __init__(self, slices: LinearOperator) -> None:
        self._slices = slices

    def __call__(self, x: Tensor, /) -> Tensor:
        """Measure each slice."""
        return torch.stack([self._slices(stack) for stack in x])

    def adjoint(self, y: Tensor, /) -> Tensor:
        """Apply the adjoint to the measurements of each slice."""
        return torch.stack([self._slices.adjoint(stack) for stack in y])

    def normal(self, x: Tensor, /) -> Tensor:
        """Apply A^H A to each slice."""
        return torch.stack([self._slices.normal(stack) for stack in x])
