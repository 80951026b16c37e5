"""The normal operator of a nonuniform Fourier transform, as a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt

import torch
from torch import Tensor

from .linear_operator import LinearOperator
from .nonuniform_fourier import NonuniformFourierOperator


class ToeplitzOperator(LinearOperator):
    """A^H W A of a nonuniform Fourier transform A and real weights W: image (..., [z,] y, x) to image.

    Element (r, s) depends on r - s alone: it is the point spread function there, so that the product is a convolution,
    which an FFT of twice the size does without interpolation. J. A. Fessler et al., IEEE Trans. Signal Process. 53,
    3393 (2005). It is its own adjoint.

    Parameters
    ----------
    trajectory
        (points, 2 or 3), as for ``NonuniformFourierOperator``, on whose precision and accuracy it depends.
    grid
        ([z,] y, x) pixels of the image.
    weights
        (points,) real, of the trajectory's dtype. Those of ``density_compensation`` make it about the identity
        where k-space is fully sampled; its largest eigenvalue then is 1 to 2 (in the corners of the image).
    width
        As for ``NonuniformFourierOperator``.
    """

    def __init__(self, trajectory: Tensor, grid: Sequence[int], weights: Tensor, *, width: int = 6) -> None:
        self._sizes = dict(zip(range(-len(grid), 0), grid, strict=True))
        doubled = [2 * n for n in grid]
        # pixel 0 of the spread is pixel n of the doubled grid; the two transforms differ in their orthonormal scales
        adjoint = NonuniformFourierOperator(trajectory, doubled, width=width).adjoint
        spread = torch.fft.ifftshift(adjoint(torch.complex(weights, torch.zeros_like(weights))))
        # real, as the spread at -r is the conjugate of that at r, but for the pixel -n, which no two pixels are apart
        self._filter = torch.fft.fftn(spread).real * (sqrt(prod(doubled)) / prod(grid))

    def __call__(self, x: Tensor, /) -> Tensor:
        """Convolve with the point spread function."""
        spectrum = x
        for axis in reversed(self._sizes):  # axis by axis: padding that is still zero need not be transformed
            spectrum = torch.fft.fft(spectrum, n=2 * self._sizes[axis], dim=axis)
        spectrum = spectrum * self._filter
        for axis, n in self._sizes.items():
            spectrum = torch.fft.ifft(spectrum, dim=axis).narrow(axis, 0, n)
        return spectrum

    def adjoint(self, y: Tensor, /) -> Tensor:
        """Convolve with the point spread function."""
        return self(y)
