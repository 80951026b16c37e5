"""Coil sensitivities as an operator."""

from __future__ import annotations

from torch import Tensor

from .linear_operator import LinearOperator


class SensitivityOperator(LinearOperator):
    """Image (batch, [z,] y, x) to coil images (batch, coils, [z,] y, x); the adjoint combines the coils.

    Parameters
    ----------
    maps
        (batch or 1, coils, [z,] y, x) complex coil sensitivity maps.
    """

    def __init__(self, maps: Tensor) -> None:
        self.maps = maps

    def __call__(self, x: Tensor, /) -> Tensor:
        """Weight the image by each coil's sensitivity."""
        return self.maps * x.unsqueeze(1)

    def adjoint(self, y: Tensor, /) -> Tensor:
        """Sum over coils of conj(map) times coil image."""
        return (self.maps.conj() * y).sum(dim=1)
