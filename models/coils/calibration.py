"""The calibration region: the fully sampled centre of k-space that coil maps are estimated from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor

from ..operators.fourier import FourierOperator


def calibration_region(kspace: Tensor, mask: Tensor, *, width: int = 24, kernel: int = 6) -> Tensor:
    """Cut out the largest fully sampled box about k = 0.

    Largest means that a kernel finds the most positions in it. In fully sampled k-space that is ``width`` along every
    axis.

    Parameters
    ----------
    kspace
        (batch, coils, [kz,] ky, kx) complex, k = 0 at index n // 2.
    mask
        (batch, 1, [kz,] ky, kx or 1) bool: what was sampled. The region is the same for the whole batch.
    width
        Longest edge.
    kernel
        Shortest edge; along an axis of k-space that is shorter, the whole axis.

    Returns
    -------
        (batch, coils, [cz,] cy, cx), a view with k = 0 at index n // 2.

    Raises
    ------
    ValueError
        The sampled centre is smaller than the kernel, or the width is.
    """
    shape = kspace.shape[2:]
    sampled = mask.all(dim=0)[0].expand(shape).cpu()
    longest = [min(width, n) for n in shape]
    shortest = [min(kernel, n) for n in shape]
    window = _centre(sampled, longest)
    best, positions = [0] * len(shape), 0
    edges_tried = [range(least, most + 1) for least, most in zip(shortest, longest, strict=True)]
    if mask.shape[-1] == 1 and edges_tried[-1]:
        edges_tried[-1] = edges_tried[-1][-1:]  # whole readouts
    for edges in product(*edges_tried):
        found = prod(edge - least + 1 for edge, least in zip(edges, shortest, strict=True))
        if found > positions and bool(_centre(window, edges).all()):
            best, positions = list(edges), found
    if not positions:
        raise ValueError(
            f"no fully sampled centre of k-space: got {_about_zero(sampled)} sampled points in a row through k = 0 "
            f"along the axes of {tuple(shape)}, expected a box of at least {tuple(shortest)} (width {width}, kernel "
            f"{kernel}): acquire calibration lines, or make the kernel smaller"
        )
    return _centre(kspace, best)


def low_resolution_images(calibration: Tensor, shape: Sequence[int]) -> Tensor:
    """Transform a calibration region to coil images on a finer grid, apodised by a Hann window against ringing.

    Parameters
    ----------
    calibration
        (batch, coils, [cz,] cy, cx) complex, k = 0 at index n // 2.
    shape
        ([z,] y, x) of the images, at least as large as the region along every axis.

    Returns
    -------
        (batch, coils, [z,] y, x) complex.
    """
    padded = calibration.new_zeros(*calibration.shape[:2], *shape)
    windowed = calibration
    for axis, edge in enumerate(calibration.shape[2:]):
        if edge < shape[axis]:  # an axis that is complete has no edge to apodise
            k = torch.arange(edge, device=calibration.device) - edge // 2
            hann = torch.cos(torch.pi * k / (edge + 1)) ** 2
            windowed = windowed * hann.view(-1, *[1] * (calibration.ndim - 3 - axis))
    _centre(padded, calibration.shape[2:]).copy_(windowed)
    return FourierOperator(tuple(range(-len(shape), 0))).adjoint(padded)


def _centre(array: Tensor, edges: Sequence[int]) -> Tensor:
    """Return the view of the trailing axes around index n // 2."""
    for axis, edge in enumerate(edges, start=array.ndim - len(edges)):
        array = array.narrow(axis, array.shape[axis] // 2 - edge // 2, edge)
    return array


def _about_zero(sampled: Tensor) -> tuple[int, ...]:
    """Sampled points in a row through k = 0 along each axis."""
    found = []
    for axis, n in enumerate(sampled.shape):
        others = tuple(slice(None) if a == axis else m // 2 for a, m in enumerate(sampled.shape))
        line = sampled[others].tolist()
        down = next((i for i in range(n // 2 + 1) if not line[n // 2 - i]), n // 2 + 1)
        up = next((i for i in range(n - n // 2) if not line[n // 2 + i]), n - n // 2)
        found.append(max(0, down + up - 1))
    return tuple(found)
