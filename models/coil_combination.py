"""Combination of coil images into one.

Sources: Roemer et al., Magn Reson Med 16:192 (1990) for the root sum of squares; Walsh et al., Magn Reson Med 43:682
(2000) for the adaptive combination.
"""

from __future__ import annotations

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
    from scipy.ndimage import uniform_filter  # only chains that combine adaptively pay for SciPy's start

    coils = len(images)
    size = tuple(min(width, n) for n in images.shape[1:])
    flat = images.reshape(coils, -1)
    _, vectors = np.linalg.eigh((flat @ flat.conj().T).astype(np.complex128))
    reference = vectors[:, -1].astype(np.complex64)  # strongest combination over the volume
    covariance = np.empty((*images.shape[1:], coils, coils), np.complex64)
    for a in range(coils):
        for b in range(a + 1):
            product = images[a] * images[b].conj()
            smooth = uniform_filter(product.real, size) + 1j * uniform_filter(product.imag, size)
            covariance[..., a, b] = smooth
            covariance[..., b, a] = smooth.conj()
    maps = np.broadcast_to(reference[:, None], (*images.shape[1:], coils, 1)).astype(np.complex64)
    for _ in range(iterations):
        maps = covariance @ maps
        norm = np.linalg.norm(maps, axis=-2, keepdims=True)
        maps = np.divide(maps, norm, out=np.zeros_like(maps), where=norm > 0)
    along = (maps[..., 0] @ reference.conj())[..., None]
    size_along = np.abs(along)
    turn = np.divide(along.conj(), size_along, out=np.ones_like(along), where=size_along > 0)
    return np.ascontiguousarray(np.moveaxis(maps[..., 0] * turn, -1, 0))


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
