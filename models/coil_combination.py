"""Combination of coil images into one.

Sources: Roemer et al., Magn Reson Med 16:192 (1990) for the root sum of squares; Walsh et al., Magn Reson Med 43:682
(2000) for the adaptive combination.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray


def root_sum_of_squares(images: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Combine to a magnitude.

    Parameters
    ----------
    images
        (coils, z, y, x) complex64.

    Returns
    -------
        (z, y, x) float32, in the images' unit.
    """
    pairs = np.ascontiguousarray(images).view(np.float32)
    power = np.einsum("c...,c...->...", pairs, pairs)
    total: NDArray[np.float32] = power[..., 0::2] + power[..., 1::2]
    return np.sqrt(total, out=total)


def walsh_maps(images: NDArray[np.complex64], *, width: int = 7, iterations: int = 8) -> NDArray[np.complex64]:
    """Estimate relative coil sensitivities from the images themselves.

    The dominant eigenvector of the local coil covariance, by power iteration; its phase is turned so that the image of
    the strongest combination of coils, over the whole volume, is real: that fixes the phase smoothly, where one
    reference coil would have holes.

    Parameters
    ----------
    images
        (coils, z, y, x) complex64.
    width
        Edge of the box, in pixels, over which the covariance is averaged (1 along an axis of length 1).
    iterations
        Steps of the power iteration.

    Returns
    -------
        (coils, z, y, x) complex64 with unit norm over coils; zero where all coils are zero.
    """
    coils, depth, height, columns = images.shape
    peak = np.abs(images).max(initial=0)
    if peak > 0:
        images = images / peak  # raw data may be so small that their squares leave single precision
    flat = images.reshape(coils, -1)
    _, vectors = np.linalg.eigh((flat @ flat.conj().T).astype(np.complex128))
    reference = vectors[:, -1].astype(np.complex64)  # strongest combination over the volume
    maps = np.empty_like(images)
    # covariances of all pixels at once would be coils times as large as the images: a slab at a time, with a margin
    rows = max(1, _SLAB_BYTES // (8 * coils * coils * columns))
    deep, high = max(1, rows // height), min(rows, height)
    for z, y in product(range(0, depth, deep), range(0, height, high)):
        inner_z, slab_z, core_z = _with_margin(z, deep, depth, width)
        inner_y, slab_y, core_y = _with_margin(y, high, height, width)
        slab = _slab_maps(images[:, slab_z, slab_y], (core_z, core_y), reference, width, iterations)
        maps[:, inner_z, inner_y] = slab
    return maps


_SLAB_BYTES = 64 * 1024**2


def _with_margin(first: int, count: int, size: int, width: int) -> tuple[slice, slice, slice]:
    """Return a slab of an axis, the slab with the margin that its averages reach into, and where it lies in that."""
    last = min(first + count, size)
    low, high = max(0, first - width), min(size, last + width)
    return slice(first, last), slice(low, high), slice(first - low, last - low)


def _slab_maps(
    images: NDArray[np.complex64],
    core: tuple[slice, slice],
    reference: NDArray[np.complex64],
    width: int,
    iterations: int,
) -> NDArray[np.complex64]:
    """Maps of the core of a slab: (coils, z, y, x) complex64."""
    from scipy.ndimage import uniform_filter  # only chains that combine adaptively pay for SciPy's start

    coils = len(images)
    size = tuple(min(width, n) for n in images.shape[1:])
    shape = images[0][core].shape
    covariance = np.empty((*shape, coils, coils), np.complex64)
    for a in range(coils):
        for b in range(a + 1):
            pair = images[a] * images[b].conj()
            smooth = (uniform_filter(pair.real, size) + 1j * uniform_filter(pair.imag, size))[core]
            covariance[..., a, b] = smooth
            covariance[..., b, a] = smooth.conj()
    maps = np.broadcast_to(reference[:, None], (*shape, coils, 1)).astype(np.complex64)
    for _ in range(iterations):
        maps = covariance @ maps
        norm = np.linalg.norm(maps, axis=-2, keepdims=True)
        maps = np.divide(maps, norm, out=np.zeros_like(maps), where=norm > 0)
    along = (maps[..., 0] @ reference.conj())[..., None]
    strength = np.abs(along)
    turn = np.divide(along.conj(), strength, out=np.ones_like(along), where=strength > 0)
    return np.moveaxis(maps[..., 0] * turn, -1, 0)


def combined(images: NDArray[np.complex64], maps: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Combine with known sensitivities of unit norm: sum over coils of conj(map) * image.

    Parameters
    ----------
    images, maps
        (coils, z, y, x) complex64.

    Returns
    -------
        (z, y, x) complex64.
    """
    result: NDArray[np.complex64] = np.einsum("czyx,czyx->zyx", maps.conj(), images)
    return result
