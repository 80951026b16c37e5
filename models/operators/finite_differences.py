"""Differences of neighbours, the gradient of a sampled image."""

from __future__ import annotations

import torch
from torch import Tensor

from .linear_operator import LinearOperator


class FiniteDifferences(LinearOperator):
    """Forward differences along axes: (..., y, x) to (..., axes, y, x), the new axis before the first one named.

    Parameters
    ----------
    axes
        Axes to take differences along, from the end and ascending: (-2, -1) for slices, (-3, -2, -1) for volumes,
        (-3,) for differences from slice to slice alone.
    periodic
        True: the last pixel's neighbour is the first, which Fourier transforms make diagonal. False: it has none, and
        its difference is zero (a free boundary).
    """

    def __init__(self, axes: tuple[int, ...] = (-2, -1), *, periodic: bool = False) -> None:
        self.axes = axes
        self.periodic = periodic

    def __call__(self, x: Tensor, /) -> Tensor:
        """Difference of each pixel's next neighbour and itself."""
        return torch.stack([self._forward(x, axis) for axis in self.axes], dim=self.axes[0] - 1)

    def adjoint(self, y: Tensor, /) -> Tensor:
        """Minus the divergence."""
        parts = y.unbind(dim=self.axes[0] - 1)
        return sum(
            (self._backward(part, axis) for part, axis in zip(parts[1:], self.axes[1:], strict=True)),
            start=self._backward(parts[0], self.axes[0]),
        )

    def _forward(self, x: Tensor, axis: int) -> Tensor:
        if self.periodic:
            return x.roll(-1, axis) - x
        n = x.shape[axis]
        return _padded(x.narrow(axis, 1, n - 1) - x.narrow(axis, 0, n - 1), axis, before=0, after=1)

    def _backward(self, y: Tensor, axis: int) -> Tensor:
        if self.periodic:
            return y.roll(1, axis) - y
        n = y.shape[axis]
        inner = _padded(y.narrow(axis, 0, n - 1), axis, before=1, after=1)
        return inner.narrow(axis, 0, n) - inner.narrow(axis, 1, n)


def _padded(x: Tensor, axis: int, *, before: int, after: int) -> Tensor:
    """Add zeros along an axis, counted from the end."""
    return torch.nn.functional.pad(x, (0, 0) * (-1 - axis) + (before, after))
