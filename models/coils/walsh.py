"""Coil sensitivity maps from the images themselves: the adaptive reconstruction of Walsh.

D. O. Walsh et al., Magn. Reson. Med. 43, 682 (2000). The batched torch form of ``coil_combination.walsh_maps``, which
chains without torch use on full images.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor

from .calibration import low_resolution_images
from .dominant_eigenvectors import dominant_eigenvectors, strongest_combination

_SLAB_BYTES = 32 * 1024**2  # of covariances at once: memory stays bounded


def walsh_maps(images: Tensor, *, width: int = 7, crop: float = 0.02, iterations: int = 30) -> Tensor:
    """Estimate relative sensitivities as the strongest eigenvectors of the local covariance of the coils.

    Parameters
    ----------
    images
        (batch, coils, [z,] y, x) complex64, any unit.
    width
        Edge of the box, an odd number of pixels, over which the covariance is averaged.
    crop
        Maps are zero where the signal, averaged over the box, is not above this part of its maximum.
    iterations
        Steps of the power iteration that finds the eigenvectors.

    Returns
    -------
        (batch, coils, [z,] y, x) complex64, over coils their squares sum to 1 or to 0; their phase is that of
        ``espirit_maps``.

    Raises
    ------
    ValueError
        The images are not finite.
    """
    peak = images.abs().flatten(1).amax(dim=1)
    if not torch.isfinite(peak).all():
        raise ValueError("the images hold values that are not finite; expected finite images")
    # raw data may be so small that their squares leave single precision
    data = images / torch.where(peak > 0, peak, 1).view(-1, *[1] * (images.ndim - 1))
    batch, coils, *shape = data.shape
    reference = strongest_combination(data)
    maps, powers = torch.empty_like(data), peak.new_empty(batch, *shape)
    slab = max(1, _SLAB_BYTES // (8 * coils**2 * prod(shape[1:])))
    for entry, first in product(range(batch), range(0, shape[0], slab)):
        low, high = max(0, first - width), min(shape[0], first + slab + width)  # what the averages reach into
        part = data[entry, :, low:high]
        rows, core = slice(first, first + slab), slice(first - low, first - low + slab)
        covariance = _averaged(part[:, None] * part.conj()[None], width)[:, :, core]
        maps[entry, :, rows], powers[entry, rows] = dominant_eigenvectors(covariance, reference[entry], iterations)
    floor = crop**2 * powers.flatten(1).amax(dim=1).view(-1, *[1] * (powers.ndim - 1))
    return torch.where((powers > floor).unsqueeze(1), maps, 0)


def walsh_maps_from_calibration(
    calibration: Tensor, shape: Sequence[int], *, crop: float = 0.02, iterations: int = 30
) -> Tensor:
    """Estimate maps from the low-resolution images of a calibration region.

    The box is as wide as one pixel of theirs.

    Parameters
    ----------
    calibration
        (batch, coils, [cz,] cy, cx) complex64, k = 0 at index n // 2.
    shape
        ([z,] y, x) of the maps.
    crop, iterations
        As for ``walsh_maps``.
    """
    width = max(n // edge for n, edge in zip(shape, calibration.shape[2:], strict=True)) | 1
    return walsh_maps(low_resolution_images(calibration, shape), width=width, crop=crop, iterations=iterations)


def _averaged(products: Tensor, width: int) -> Tensor:
    """Mean over a box, of the pixels of it that are inside the image; (coils, coils, ...) complex."""
    planes = torch.view_as_real(products).movedim(-1, 2)
    for axis in range(3, planes.ndim):  # a box is one average after another along each axis
        lines = planes.movedim(axis, -1)
        smooth = torch.nn.functional.avg_pool1d(
            lines.reshape(-1, 1, lines.shape[-1]), width, stride=1, padding=width // 2, count_include_pad=False
        )
        planes = smooth.reshape(lines.shape).movedim(-1, axis)
    return torch.view_as_complex(planes.movedim(2, -1).contiguous())
