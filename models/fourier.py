"""Centred orthonormal Fourier transforms and changes of grid size.

Index n // 2 is the centre of every axis, in k-space and in the image. Transforms are NumPy's, which treat one row at a
time, so that the rounding of a row does not depend on how many rows are transformed together; single precision stays
single precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[Any]
"""Any complex dtype; single precision stays single precision."""


def centred_fft(image: Complex, axes: Sequence[int]) -> Complex:
    """Image to k-space.

    Parameters
    ----------
    image
        Complex array, any axes.
    axes
        Axes to transform.

    Returns
    -------
        New array of the same shape and dtype; ``sum |k|^2 = sum |x|^2``.
    """
    return _centred(image, axes, inverse=False)


def centred_ifft(kspace: Complex, axes: Sequence[int]) -> Complex:
    """K-space to image, the inverse and the adjoint of ``centred_fft``; parameters and result as there."""
    return _centred(kspace, axes, inverse=True)


def resized(array: NDArray[Any], sizes: Sequence[int], axes: Sequence[int]) -> NDArray[Any]:
    """Crop or zero-pad axes so that index n // 2 of the old size comes to index n // 2 of the new.

    Returns
    -------
        A view where it only crops, else a new array.
    """
    if any(size > array.shape[axis] for size, axis in zip(sizes, axes, strict=True)):
        shape = list(array.shape)
        for size, axis in zip(sizes, axes, strict=True):
            shape[axis] = max(size, array.shape[axis])
        padded = np.zeros(shape, array.dtype)
        centre(padded, array.shape)[...] = array
        array = padded
    shape = list(array.shape)
    for size, axis in zip(sizes, axes, strict=True):
        shape[axis] = size
    return centre(array, shape)


def centre(array: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """Return the view of ``shape`` around the centre of an array at least as large."""
    starts = (have // 2 - want // 2 for have, want in zip(array.shape, shape, strict=True))
    return array[tuple(slice(start, start + want) for start, want in zip(starts, shape, strict=True))]


def _centred(array: Complex, axes: Sequence[int], *, inverse: bool) -> Complex:
    axes = tuple(sorted(axis % array.ndim for axis in axes if array.shape[axis] > 1))
    if not axes:
        return array.copy()
    # A shift by n / 2 on one side of the transform is an alternating sign on the other, exact in floating point and
    # half the memory traffic of rolling. The two signs of an axis leave (-1)^(n/2) over. Odd sizes have no such sign.
    signed = tuple(axis for axis in axes if array.shape[axis] % 2 == 0)
    rolled = tuple(axis for axis in axes if array.shape[axis] % 2 == 1)
    odd_halves = sum(array.shape[axis] // 2 for axis in signed) % 2
    work = alternated(array, signed, negative=bool(odd_halves))
    if rolled:
        work = np.fft.ifftshift(work, rolled)
    transform = np.fft.ifft if inverse else np.fft.fft
    for axis in reversed(axes):
        work = transform(work, axis=axis, norm="ortho", out=work)
    if rolled:
        work = np.fft.fftshift(work, rolled)
    return alternated(work, signed, out=work)


def alternated(array: Complex, axes: Sequence[int], *, negative: bool = False, out: Complex | None = None) -> Complex:
    """Multiply by (-1)^index along axes (and by -1 if ``negative``), into ``out`` or a new array."""
    if out is None:
        out = np.empty(array.shape, array.dtype)
    last = array.ndim - 1
    row = _signs(array.shape[last] if last in axes else 1, array.real.dtype.char)
    outer = [axis for axis in axes if axis != last]
    # rows of even and of odd parity apart: no table of signs as large as the array
    for parities in product((0, 1), repeat=len(outer)):
        chosen: list[slice] = [slice(None)] * array.ndim
        for axis, parity in zip(outer, parities, strict=True):
            chosen[axis] = slice(parity, None, 2)
        source, target = array[tuple(chosen)], out[tuple(chosen)]
        signs = -row if (sum(parities) + negative) % 2 else row
        if source.strides[-1] == source.itemsize and target.strides[-1] == target.itemsize:
            # real arithmetic on the (real, imaginary) pairs: a third of the work of a complex product
            pairs = np.repeat(signs, 2) if len(signs) > 1 else signs
            np.multiply(source.view(pairs.dtype), pairs, out=target.view(pairs.dtype))
        else:
            np.multiply(source, signs, out=target)
    return out


@lru_cache(maxsize=64)
def _signs(length: int, dtype: str) -> NDArray[Any]:
    signs = np.ones(length, dtype)
    signs[1::2] = -1
    signs.flags.writeable = False
    return signs
