"""Calibration k-space of scans along trajectories: the centre of k-space, where they mostly are fully sampled."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from ..operators.fourier import FourierOperator

_COVERED = 0.9
"""Of the area: the weights of fully sampled spokes and spirals add up to .92 to 1.1 of it, those of every second arm of
a spiral to .65 at most, of three in four to .84."""


def gridded_calibration(
    gridded: Tensor, trajectory: Tensor, weights: Tensor, *, width: int = 24, least: int = 6
) -> Tensor:
    """Cut the fully sampled centre of k-space out of gridded images.

    Weights are areas of k-space, at most about one point of the grid each: where samples are too few, they do not
    cover it.

    Parameters
    ----------
    gridded
        (batch, coils, [z,] y, x) complex: the adjoint nonuniform transform of the weighted samples.
    trajectory
        (points, 2 or 3) real, cycles per pixel, as for ``NonuniformFourierOperator``.
    weights
        (points,) real, of ``iterative_compensation``.
    width
        Longest edge of the box.
    least
        Shortest edge that is of use; along an axis of the image that is shorter, the whole axis.

    Returns
    -------
        (batch, coils, [cz,] cy, cx) complex, k = 0 at index n // 2.

    Raises
    ------
    ValueError
        No box of that size is fully sampled.
    """
    grid = gridded.shape[2:]
    place = trajectory.abs() * trajectory.new_tensor(grid[::-1])
    for edge in range(min(width, max(grid)), least - 1, -1):
        edges = [min(edge, n) for n in grid]
        if _coverage(place, weights, edges) >= _COVERED:
            break
    else:
        edges = [min(least, n) for n in grid]
        raise ValueError(
            f"the innermost {' x '.join(map(str, edges))} points of k-space are sampled to "
            f"{_coverage(place, weights, edges):.0%}, expected {_COVERED:.0%} at least to estimate coil maps: "
            "acquire more readouts, or the centre of k-space more densely"
        )
    kspace = FourierOperator(tuple(range(-len(grid), 0)))(gridded)
    for axis, (n, size) in enumerate(zip(grid, edges, strict=True), start=2):
        kspace = kspace.narrow(axis, n // 2 - size // 2, size)
    return kspace


def _coverage(place: Tensor, weights: Tensor, edges: Sequence[int]) -> float:
    """Area that belongs to the samples within a box over the area of the box; ``place`` in points of the grid."""
    inside = (place <= place.new_tensor(edges[::-1]) / 2).all(dim=1)
    return float(torch.where(inside, weights, 0).sum()) / prod(edges)
