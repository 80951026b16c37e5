"""Compressed sensing with wavelets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..measurements import Measurements
from ..operators.proximal import soft_threshold
from ..operators.wavelet import WaveletOperator
from .fista import fista
from .zero_filled import brightness


@dataclass(frozen=True, kw_only=True)
class WaveletL1:
    """Minimise ||A x - y||^2 / 2 + weight ||W x||_1: few wavelet coefficients, each slice of a volume by itself.

    M. Lustig et al., Magn. Reson. Med. 58, 1182 (2007), by FISTA. In every iteration the wavelets are shifted at
    random, so that none of their edges is preferred (cycle spinning: R. R. Coifman and D. L. Donoho, Lect. Notes
    Stat. 103, 125 (1995); M. Figueiredo and R. Nowak, IEEE Trans. Image Process. 12, 906 (2003)).
    """

    weight: float = 0.005
    """Threshold of each wavelet coefficient, relative to the zero-filled image's ``brightness``."""
    iterations: int = 60
    wavelet: str = "db2"
    """An orthogonal wavelet, as ``WaveletOperator`` takes it."""
    levels: int = 5
    """Of the transform, at most."""
    shifts: bool = True
    """Shift the wavelets at random; without, the result converges to the minimum."""
    seed: int = 0
    """Of the shifts."""

    def __call__(self, measurements: Measurements, /) -> Tensor:
        """Reconstruct: (batch, [z,] y, x) complex64."""
        operator = measurements.operator()
        rhs = operator.adjoint(measurements.kspace)
        wavelets = WaveletOperator((rhs.shape[-2], rhs.shape[-1]), self.wavelet, self.levels)
        unit = brightness(rhs)
        generator = torch.Generator().manual_seed(self.seed)

        def shrunk(x: Tensor) -> Tensor:
            return wavelets.adjoint(soft_threshold(wavelets(x), self.weight))

        def shrunk_elsewhere(x: Tensor) -> Tensor:
            dy, dx = torch.randint(2**wavelets.levels, (2,), generator=generator).tolist()
            return shrunk(x.roll((dy, dx), (-2, -1))).roll((-dy, -dx), (-2, -1))

        proximal = shrunk_elsewhere if self.shifts else shrunk
        return unit * fista(operator.normal, rhs / unit, proximal, iterations=self.iterations)
