"""Partial Fourier: the side of k-space that was left out, from the one that was acquired and a smooth phase.

Homodyne: D. C. Noll, D. G. Nishimura, A. Macovski, IEEE Trans. Med. Imaging 10, 154 (1991). POCS: E. M. Haacke, E. D.
Lindskog, W. Lin, J. Magn. Reson. 92, 126 (1991). Both take the object to be real but for a phase so smooth that the
symmetric part of what was acquired holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType

import torch
from torch import Tensor

from ..operators.fourier import FourierOperator


def homodyne(kspace: Tensor, acquired: Sequence[slice]) -> Tensor:
    """Weight the asymmetric part twice, remove the low-resolution phase, keep the real part, put the phase back.

    Exact for an object without phase, and as good as the phase is smooth otherwise; acquired samples change.

    Parameters
    ----------
    kspace
        (..., [kz,] ky, kx) complex, zero where not acquired, in any unit.
    acquired
        For each axis of k-space: what was acquired, k = 0 at index n // 2 included. One axis at most is asymmetric.

    Returns
    -------
        Like ``kspace``, and ``kspace`` itself where every axis is symmetric.

    Raises
    ------
    ValueError
        Two axes are asymmetric, which leaves a corner that has no counterpart; or the centre was not acquired.
    """
    axes, grid = _axes(kspace, acquired)
    asymmetric = [axis for axis in axes if _is_asymmetric(grid[axis], acquired[axis])]
    if not asymmetric:
        return kspace
    if len(asymmetric) > 1:
        raise ValueError(f"k-space is asymmetric along {len(asymmetric)} axes, homodyne can take one: use POCS")
    transform = FourierOperator(axes)
    axis = asymmetric[0]
    weights = _homodyne_weights(grid[axis], acquired[axis]).to(kspace.device, kspace.real.dtype)
    weighted = kspace * weights.view(-1, *[1] * (-1 - axis))
    phase = _smooth_phase(kspace, acquired)
    return transform((transform.adjoint(weighted) * phase.conj()).real * phase)


def pocs(kspace: Tensor, acquired: Sequence[slice], *, iterations: int = 20) -> Tensor:
    """Project in turn onto the images of the low-resolution phase and onto the acquired samples.

    The projection onto the phase keeps the real part in it, sign included.

    Parameters
    ----------
    kspace, acquired
        As for ``homodyne``; several axes may be asymmetric.
    iterations
        Rounds of both projections.

    Returns
    -------
        Like ``kspace``: acquired samples to the bit, the others found; ``kspace`` itself where every axis is symmetric.

    Raises
    ------
    ValueError
        The centre was not acquired.
    """
    axes, grid = _axes(kspace, acquired)
    if not any(_is_asymmetric(grid[axis], acquired[axis]) for axis in axes):
        return kspace
    transform = FourierOperator(axes)
    phase = _smooth_phase(kspace, acquired)
    kept: tuple[slice | EllipsisType, ...] = (..., *acquired)
    found = kspace
    for _ in range(iterations):
        found = transform((transform.adjoint(found) * phase.conj()).real * phase)
        found[kept] = kspace[kept]
    return found


def _axes(kspace: Tensor, acquired: Sequence[slice]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Axes of k-space, counted from the end, and their sizes."""
    axes = tuple(range(-len(acquired), 0))
    grid = tuple(kspace.shape[-len(acquired) :])
    for size, part in zip(grid, acquired, strict=True):
        start, stop, _ = part.indices(size)
        if not start <= size // 2 < stop:
            raise ValueError(f"samples {start} to {stop - 1} of {size} were acquired, expected the centre, {size // 2}")
    return axes, grid


def _reach(size: int, part: slice) -> tuple[int, int]:
    """Samples before and after k = 0; an even size has one more before, which is its own counterpart."""
    start, stop, _ = part.indices(size)
    return size // 2 - start, stop - 1 - size // 2


def _is_asymmetric(size: int, part: slice) -> bool:
    before, after = _reach(size, part)
    return min(before, after) < (size - 1) // 2 and before != after


def _homodyne_weights(size: int, part: slice) -> Tensor:
    """Rising from 0 to 2 across the symmetric part, so that those of k and -k sum to 2 (Noll's ramp)."""
    before, after = _reach(size, part)
    k = torch.arange(size, dtype=torch.float64) - size // 2
    ramp = 1 + (k if after > before else -k).div(min(before, after) + 1).clamp(-1, 1)
    counterpart = (size - torch.arange(size) + 2 * (size // 2)) % size
    ramp[counterpart == torch.arange(size)] = 1  # k = 0, and the outermost of an even size
    return ramp


def _smooth_phase(kspace: Tensor, acquired: Sequence[slice]) -> Tensor:
    """exp(i phase) of the symmetric part of k-space, under a Hann window along the asymmetric axes."""
    axes, grid = _axes(kspace, acquired)
    centre = kspace
    for axis in axes:
        size, part = grid[axis], acquired[axis]
        if not _is_asymmetric(size, part):
            continue
        half = min(_reach(size, part)) + 1
        k = torch.arange(size, dtype=torch.float64) - size // 2
        window = torch.where(k.abs() < half, torch.cos(torch.pi / 2 * k / half) ** 2, 0)
        centre = centre * window.to(kspace.device, kspace.real.dtype).view(-1, *[1] * (-1 - axis))
    return torch.sgn(FourierOperator(axes).adjoint(centre))
