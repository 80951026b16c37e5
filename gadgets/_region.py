"""Regions of an image on the grid that it is reconstructed on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.records import CalibratedKSpace
from ..models.fourier import resized
from .reconstruct_fourier import reconstruction_grid


def region_weights(region: tuple[int, int, int, int], message: CalibratedKSpace) -> NDArray[np.bool_]:
    """Tell which pixels of the reconstruction a region of the image is.

    Parameters
    ----------
    region
        First row, first column, row and column after the last, in pixels of the image.
    message
        The scan.

    Returns
    -------
        (z, y, x), or (y, x) of a single slice, bool, on the grid of the reconstruction.

    Raises
    ------
    ValueError
        It leaves the image.
    """
    encoding = message.kspace.encoding
    inside = np.zeros(encoding.recon.matrix[::-1], np.bool_)
    top, left, bottom, right = region
    if bottom > inside.shape[1] or right > inside.shape[2]:
        raise ValueError(f"the region {list(region)} leaves the image of {inside.shape[1]} x {inside.shape[2]} pixels")
    inside[:, top:bottom, left:right] = True
    grid = reconstruction_grid(encoding)
    weights: NDArray[np.bool_] = np.ascontiguousarray(resized(inside, grid, (0, 1, 2)))
    return weights[0] if grid[0] == 1 else weights
