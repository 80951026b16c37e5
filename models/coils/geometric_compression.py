"""Geometric coil compression: virtual coils of their own for every position along the readout.

T. Zhang et al., Magn. Reson. Med. 69, 571 (2013). Coils see one position along the fully sampled readout with fewer
degrees of freedom than the whole volume, so fewer virtual coils hold the same signal. They are turned within their
space so that they change smoothly along the readout, as later steps in k-space need.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..fourier import centred_fft, centred_ifft

_COMMON = 1e-3  # of the mean covariance goes to every position: one without signal takes what the others have


def geometric_compression_matrices(
    kspace: NDArray[np.complex64], *, coils: int | None, energy: float
) -> tuple[NDArray[np.complex64], float]:
    """Find the virtual coils.

    Parameters
    ----------
    kspace
        (coils, kz, ky, kx) complex64, fully sampled along kx; zeros (not acquired) do not count.
    coils
        Number of virtual coils, or None to take as many as ``energy`` asks for.
    energy
        Part of the signal energy to keep over all positions, 0 to 1; used where ``coils`` is None.

    Returns
    -------
    matrices
        (x, virtual, coils) complex64, each with orthonormal rows: white noise stays white.
    kept
        Part of the energy that the virtual coils hold.
    """
    hybrid = centred_ifft(kspace, (3,))
    lines = np.moveaxis(hybrid.reshape(len(hybrid), -1, hybrid.shape[3]), 2, 0).astype(np.complex128)
    covariance = lines @ lines.conj().swapaxes(1, 2)
    vectors = np.linalg.eigh(covariance + _COMMON * covariance.mean(axis=0)).eigenvectors[:, :, ::-1]
    energies = np.einsum("xcv,xcd,xdv->v", vectors.conj(), covariance, vectors).real
    total = energies.sum()
    parts = np.cumsum(energies) / total if total > 0 else np.ones(len(energies))
    found = int(np.searchsorted(parts, energy * (1 - 1e-12))) + 1 if coils is None else coils
    count = min(found, len(kspace))
    return _aligned(vectors[:, :, :count].conj().swapaxes(1, 2)).astype(np.complex64), float(parts[count - 1])


def geometrically_compressed(kspace: NDArray[np.complex64], matrices: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Apply compression matrices.

    Parameters
    ----------
    kspace
        (coils, kz, ky, kx) complex64, fully sampled along kx.
    matrices
        (x, virtual, coils) complex64, for as many positions as there are columns.

    Returns
    -------
        (virtual, kz, ky, kx) complex64.
    """
    hybrid = np.moveaxis(centred_ifft(kspace, (3,)), 3, 0)
    mixed = matrices @ hybrid.reshape(*hybrid.shape[:2], -1)
    virtual = np.moveaxis(mixed.reshape(len(hybrid), matrices.shape[1], *hybrid.shape[2:]), 0, 3)
    return centred_fft(virtual, (3,))


def _aligned(matrices: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Turn the virtual coils of every position to be nearest to those of the one before, from the centre outwards.

    The rotation P that minimises the norm of P A_x - A_x-1 is U V^H of the singular value decomposition U S V^H of
    A_x-1 A_x^H (Zhang 2013, equation 9).
    """
    result = matrices.copy()
    centre = len(matrices) // 2
    steps = [(x, x - 1) for x in range(centre + 1, len(matrices))] + [(x, x + 1) for x in reversed(range(centre))]
    for here, before in steps:
        left, _, right = np.linalg.svd(result[before] @ matrices[here].conj().T)
        result[here] = left @ right @ matrices[here]
    return result
