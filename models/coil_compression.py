"""Coil compression: fewer virtual coils that hold most of the signal.

Source: Buehrer et al., Magn Reson Med 57:1131 (2007); Huang et al., Magn Reson Imaging 26:133 (2008).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def compression_matrix(
    kspace: NDArray[np.complex64], *, coils: int | None, energy: float
) -> tuple[NDArray[np.complex64], float]:
    """Find the virtual coils.

    Parameters
    ----------
    kspace
        (coils, kz, ky, kx) complex64; zeros (not acquired) do not count.
    coils
        Number of virtual coils, or None to take as many as ``energy`` asks for.
    energy
        Part of the signal energy to keep, 0 to 1; used where ``coils`` is None.

    Returns
    -------
    matrix
        (virtual, coils) complex64 with orthonormal rows, strongest first: white noise stays white.
    kept
        Part of the energy that the virtual coils hold.
    """
    flat = kspace.reshape(len(kspace), -1)
    gram = flat.astype(np.complex128) @ flat.conj().T.astype(np.complex128)
    values, vectors = np.linalg.eigh(gram)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    total = float(values.sum())
    parts = np.cumsum(values) / total if total > 0 else np.ones(len(values))
    count = min(coils, len(values)) if coils is not None else int(np.searchsorted(parts, energy * (1 - 1e-12))) + 1
    count = min(count, len(values))
    return vectors[:, :count].conj().T.astype(np.complex64), float(parts[count - 1])


def compressed(kspace: NDArray[np.complex64], matrix: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Apply a compression matrix: (coils, kz, ky, kx) to (virtual, kz, ky, kx) complex64."""
    result: NDArray[np.complex64] = np.tensordot(matrix, kspace, axes=(1, 0))
    return result
