"""The centred orthonormal Fourier transform as an operator."""

from __future__ import annotations

import torch
from torch import Tensor

from .linear_operator import LinearOperator


class FourierOperator(LinearOperator):
    """Image (..., [z,] y, x) to k-space (..., [kz,] ky, kx), centred at index n // 2, orthonormal.

    Parameters
    ----------
    axes
        Axes to transform, from the end: (-2, -1) for slices, (-3, -2, -1) for volumes.
    """

    def __init__(self, axes: tuple[int, ...] = (-2, -1)) -> None:
        self.axes = axes

    def __call__(self, x: Tensor, /) -> Tensor:
        """Image to k-space."""
        shifted = torch.fft.ifftshift(x, dim=self.axes)
        return torch.fft.fftshift(torch.fft.fftn(shifted, dim=self.axes, norm="ortho"), dim=self.axes)

    def adjoint(self, y: Tensor, /) -> Tensor:
        """K-space to image: the adjoint is the inverse."""
        shifted = torch.fft.ifftshift(y, dim=self.axes)
        return torch.fft.fftshift(torch.fft.ifftn(shifted, dim=self.axes, norm="ortho"), dim=self.axes)

    def normal(self, x: Tensor, /) -> Tensor:
        """Return x: the transform is unitary."""
        return x
