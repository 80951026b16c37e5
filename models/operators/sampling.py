"""Which k-space samples were acquired, as an operator."""

from __future__ import annotations

from torch import Tensor

from .linear_operator import LinearOperator


class SamplingMask(LinearOperator):
    """K-space to k-space, zero where nothing was acquired: a projection, its own adjoint.

    Parameters
    ----------
    mask
        Bool, broadcastable to k-space (..., coils, [kz,] ky, kx): usually (batch, 1, ky, 1) or (batch, 1, ky, kx).
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def __call__(self, x: Tensor, /) -> Tensor:
        """Keep what was acquired."""
        return x * self.mask

    def adjoint(self, y: Tensor, /) -> Tensor:
        """Keep what was acquired."""
        return y * self.mask

    def normal(self, x: Tensor, /) -> Tensor:
        """Keep what was acquired."""
        return x * self.mask
