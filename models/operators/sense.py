"""The forward model of parallel imaging: sensitivities, Fourier transform, sampling."""

from __future__ import annotations

from torch import Tensor

from .fourier import FourierOperator
from .linear_operator import LinearOperator
from .sampling import SamplingMask
from .sensitivities import SensitivityOperator


class SenseOperator(LinearOperator):
    """A = M F S: image (batch, [z,] y, x) to sampled k-space (batch, coils, [kz,] ky, kx).

    K. P. Pruessmann et al., Magn. Reson. Med. 42, 952 (1999), 46, 638 (2001).

    Parameters
    ----------
    maps
        (batch or 1, coils, [z,] y, x) complex.
    mask
        Bool, broadcastable to k-space.
    """

    def __init__(self, maps: Tensor, mask: Tensor) -> None:
        fourier = FourierOperator(tuple(range(2 - maps.ndim, 0)))
        self._composed = SamplingMask(mask) @ fourier @ SensitivityOperator(maps)

    def __call__(self, x: Tensor, /) -> Tensor:
        """Predict what the coils would have sampled."""
        return self._composed(x)

    def adjoint(self, y: Tensor, /) -> Tensor:
        """Transform what was sampled and combine the coils: the zero-filled image."""
        return self._composed.adjoint(y)

    def normal(self, x: Tensor, /) -> Tensor:
        """Apply A^H A."""
        return self._composed.normal(x)
