"""Coil maps from the centre of k-space at the price of a training example: at most tens of milliseconds a slice."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from ..coils.espirit import espirit_kernel, espirit_maps
from ..fourier import centre, centred_ifft
from .phantom_grid import pixel_centres

_BODY = 0.1  # of the largest low-resolution magnitude: less is taken as outside of the body
_COARSE = 3  # pixels between the points at which ESPIRiT is solved: its maps are smooth


def low_resolution_maps(calibration: NDArray[np.complex64], shape: tuple[int, int]) -> NDArray[np.complex64]:
    """Estimate coil maps as windowed low-resolution coil images over their common magnitude.

    K. P. Pruessmann et al., Magn. Reson. Med. 42, 952 (1999). The phase is relative to the first virtual coil.

    Parameters
    ----------
    calibration
        (coils, cy, cx): the centre of k-space, k = 0 at index n // 2.
    shape
        (y, x) of the maps.

    Returns
    -------
    ndarray
        (coils, y, x) complex64; over coils their squares sum to 1 in the body, 0 outside of it.
    """
    rows, columns = (np.hanning(n + 2)[1:-1].astype(np.float32) for n in calibration.shape[1:])
    kspace = np.zeros((len(calibration), *shape), np.complex64)
    centre(kspace, calibration.shape)[...] = calibration * (rows[:, None] * columns)
    coarse = centred_ifft(kspace, (-2, -1))
    common = np.sqrt(np.sum(np.abs(coarse) ** 2, axis=0))
    flat = calibration.reshape(len(calibration), -1)
    virtual = np.linalg.eigh(flat @ flat.conj().T)[1][:, -1]
    reference = np.tensordot(virtual.conj(), coarse, axes=1)
    phase = reference.conj() / np.maximum(np.abs(reference), 1e-12)
    maps = coarse * phase / np.maximum(common, 1e-12)
    return np.where(common > _BODY * common.max(), maps, 0).astype(np.complex64)


def coarse_espirit_maps(calibration: NDArray[np.complex64], shape: tuple[int, int]) -> NDArray[np.complex64]:
    """Estimate coil maps by ``espirit_maps`` on every third point of the grid, and interpolate.

    Of 8 coils and 256 x 256 pixels that takes a third of the time.

    Parameters, result
        As for ``low_resolution_maps``.
    """
    lattice = (-(-shape[0] // _COARSE), -(-shape[1] // _COARSE))
    kernel = espirit_kernel(min(calibration.shape[1:]))
    found, eigenvalues = espirit_maps(torch.from_numpy(calibration)[None], lattice, kernel=kernel, crop=0)
    rows, columns = (_periodic_spline(m, n) for m, n in zip(lattice, shape, strict=True))
    maps = rows @ found[0].numpy() @ columns.T
    signal = rows @ eigenvalues[0].numpy() @ columns.T > 0.8
    maps /= np.maximum(np.sqrt(np.sum(np.abs(maps) ** 2, axis=0)), 1e-12)
    return np.asarray(maps * signal, np.complex64)


@lru_cache(maxsize=64)
def _periodic_spline(lattice: int, n: int) -> NDArray[np.float32]:
    """(n, lattice): from points of one field of view to those of a finer grid, which is periodic as k-space sees it."""
    unit = np.eye(lattice)
    spline = CubicSpline(
        np.append(pixel_centres(lattice), 2 + pixel_centres(lattice)[0]),
        np.vstack((unit, unit[:1])),
        bc_type="periodic",
    )
    return np.asarray(spline(pixel_centres(n)), np.float32)
