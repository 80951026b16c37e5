"""SENSE by conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..measurements import Measurements
from .conjugate_gradient import conjugate_gradient
from .zero_filled import brightness


@dataclass(frozen=True, kw_only=True)
class CGSense:
    """Minimise ||A x - y||^2 + regularisation ||x||^2 for any sampling of Cartesian k-space, slices or volumes.

    K. P. Pruessmann et al., Magn. Reson. Med. 46, 638 (2001): (A^H A + regularisation) x = A^H y by conjugate
    gradients from zero.
    """

    iterations: int = 30
    """At most."""
    regularisation: float = 0.01
    """Relative to the largest that A^H A does to an image, which is 1 as maps are normalised. More means less noise
    and more of the zero-filled image's aliasing; 0 is least squares, regularised by few iterations alone."""
    tolerance: float = 0.0
    """An image whose residual norm is at most this times the norm of A^H y is finished."""

    def __call__(self, measurements: Measurements, /) -> Tensor:
        """Reconstruct: (batch, [z,] y, x) complex64."""
        operator = measurements.operator()
        rhs = operator.adjoint(measurements.kspace)
        unit = brightness(rhs)
        return unit * conjugate_gradient(
            lambda x: torch.add(operator.normal(x), x, alpha=self.regularisation),
            rhs / unit,
            iterations=self.iterations,
            tolerance=self.tolerance,
        )
