"""Weights that make the adjoint of a nonuniform Fourier transform an image: one over the density of the samples.

A weight is the area of k-space that belongs to a sample, in the area of a point of the grid: weights are 1 for fully
sampled Cartesian k-space, and A^H W y has the intensity of the object.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .nonuniform_fourier import NonuniformFourierOperator


def radial_compensation(angles: NDArray[np.float64], samples: int, grid: tuple[int, int]) -> NDArray[np.float64]:
    """Return the areas that belong to the samples of spokes through the centre of k-space.

    A spoke's wedge reaches half way to its neighbours on both sides; all share k = 0.

    Parameters
    ----------
    angles
        (spokes,) in rad, in any order, as of ``trajectories.radial``.
    samples
        Of each spoke, at (j - samples // 2) / samples cycles per pixel.
    grid
        (y, x) pixels.

    Returns
    -------
        (spokes, samples) float64.
    """
    turned = np.mod(angles, np.pi)
    order = np.argsort(turned)
    gaps = np.diff(turned[order], append=turned[order[0]] + np.pi)
    wedges = np.empty(len(angles))
    wedges[order] = (gaps + np.roll(gaps, 1)) / 2
    step = 1 / samples
    rings = np.abs(np.arange(samples) - samples // 2) * step**2
    # the integral of |k| f(k) is its sum at whole steps and f(0) / 6 (Euler and Maclaurin); the area itself, a quarter,
    # would make images a percent too bright
    rings[samples // 2] = step**2 / 6
    return np.asarray(wedges[:, None] * rings * (grid[0] * grid[1]), np.float64)


def iterative_compensation(trajectory: Tensor, grid: Sequence[int], *, iterations: int = 20) -> Tensor:
    """Find the weights of any trajectory: w <- w / (C w), C the convolution with a kernel, at the samples.

    J. G. Pipe and P. Menon, Magn. Reson. Med. 41, 179 (1999). The kernel's transform c is the overlap of two
    ellipses (ellipsoids) as large as the image, normalised, so that the point spread function is a point within the
    field of view: K. O. Johnson and J. G. Pipe, Magn. Reson. Med. 61, 439 (2009). c(0) = 1 sets the scale.

    Parameters
    ----------
    trajectory
        (points, 2 or 3) real, cycles per pixel, as for ``NonuniformFourierOperator``.
    grid
        ([z,] y, x) pixels.
    iterations
        How many.

    Returns
    -------
        (points,) real, of the trajectory's dtype.
    """
    doubled = [2 * n for n in grid]
    operator = NonuniformFourierOperator(trajectory, doubled, width=4)
    overlap = _overlap(doubled, trajectory) * 2 ** len(grid)
    weights = torch.ones(len(trajectory), dtype=trajectory.dtype, device=trajectory.device)
    for _ in range(iterations):
        density = operator(overlap * operator.adjoint(weights.to(overlap.dtype))).real
        # positive as the kernel is, but for the interpolation's rounding
        weights = weights / density.clamp(min=1e-3 * float(density.abs().max()))
    return weights


def _overlap(doubled: Sequence[int], like: Tensor) -> Tensor:
    """Overlap of two balls of diameter 1 at a distance r < 1, in fields of view: 1 at 0, complex, on the grid."""
    squares = torch.zeros((), dtype=torch.float64, device=like.device)
    for n in doubled:
        r = 2 * (torch.arange(n, dtype=torch.float64, device=like.device) - n // 2) / n
        squares = squares[..., None] + r**2
    r = squares.sqrt().clamp(max=1)
    value = (r.acos() - r * (1 - r**2).sqrt()) * (2 / torch.pi) if len(doubled) == 2 else (1 - r) ** 2 * (1 + r / 2)
    return value.to(torch.complex128 if like.dtype == torch.float64 else torch.complex64)
