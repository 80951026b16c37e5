"""Calibration k-space: the fully sampled centre that coil maps are estimated from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..operators.fourier import FourierOperator
from .calibration_region import calibration_region


def calibration_kspace(kspace: Tensor, mask: Tensor, *, width: int = 24, least: int = 6) -> Tensor:
    """Cut out the largest fully sampled box with k = 0 in its middle.

    Parameters
    ----------
    kspace
        (batch, coils, [kz,] ky, kx) complex, k = 0 at index n // 2.
    mask
        (batch, 1, [kz,] ky, kx or 1) bool: what was sampled. The box is one that all of the batch have.
    width
        Longest edge of the box.
    least
        Shortest edge that is of use; along an axis of k-space that is shorter, the whole axis.

    Returns
    -------
        (batch, coils, [cz,] cy, cx), a view, k = 0 at index n // 2.

    Raises
    ------
    ValueError
        The box is smaller than that.
    """
    shape = kspace.shape[2:]
    sampled = mask.all(dim=0)[0].expand(shape).cpu().numpy()
    found = list(calibration_region(np.asarray(sampled.any(axis=-1)) if len(shape) == 3 else sampled))
    if len(shape) == 3:
        columns = sampled[sampled.any(axis=-1)].all(axis=0, keepdims=True)
        found.append(calibration_region(np.asarray(columns))[1])
    below = [n // 2 - side.start for n, side in zip(shape, found, strict=True)]
    above = [side.stop - n // 2 for n, side in zip(shape, found, strict=True)]
    # a box of w about the middle takes w // 2 before and (w + 1) // 2 from k = 0 on
    edges = [max(0, min(width, 2 * a + 1, 2 * b)) for a, b in zip(below, above, strict=True)]
    expected = [min(least, n) for n in shape]
    if any(edge < wanted for edge, wanted in zip(edges, expected, strict=True)):
        raise ValueError(
            f"the fully sampled centre of k-space is {_by(edges)} of {_by(shape)} points; coil maps need at least "
            f"{_by(expected)} (and a width of as much): acquire more calibration lines"
        )
    return _centre(kspace, edges)


def low_resolution_images(calibration: Tensor, shape: Sequence[int]) -> Tensor:
    """Transform calibration k-space to coil images on a finer grid, apodised by a Hann window against ringing.

    Parameters
    ----------
    calibration
        (batch, coils, [cz,] cy, cx) complex, k = 0 at index n // 2.
    shape
        ([z,] y, x) of the images, at least as large along every axis.

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


def _by(sizes: Sequence[int]) -> str:
    return " x ".join(str(size) for size in sizes)
