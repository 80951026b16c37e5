"""Readout oversampling: cropping the field of view along the readout, back in k-space."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fourier import alternated, centred_fft, centred_ifft, resized


def remove_oversampling(
    samples: NDArray[np.complexfloating[Any, Any]], *, grid: int, start: int, columns: int
) -> NDArray[np.complexfloating[Any, Any]]:
    """Crop the field of view of readouts.

    Parameters
    ----------
    samples
        (..., samples) complex, in the order of k.
    grid
        Length of the encoded (oversampled) grid; k=0 is at ``grid // 2``.
    start
        Index of the first sample on that grid; what the readout does not cover counts as zero.
    columns
        Length of the new grid, at most ``grid``.

    Returns
    -------
        (..., columns), k=0 at ``columns // 2``, scaled so that a later orthonormal transform gives the same image as
        one of the whole grid would, cropped. Every row's result depends on that row alone.

    Raises
    ------
    ValueError
        The samples do not fit the grid.
    """
    length = samples.shape[-1]
    if start < 0 or start + length > grid or columns > grid:
        raise ValueError(f"{length} samples from index {start} on, and {columns} columns, do not fit a grid of {grid}")
    if length != grid:
        filled = np.zeros((*samples.shape[:-1], grid), samples.dtype)
        filled[..., start : start + length] = samples
        samples = filled
    if grid % 2 or columns % 2:
        return centred_fft(resized(centred_ifft(samples, (-1,)), (columns,), (-1,)), (-1,))
    # For even sizes a centred transform is a plain one between alternating signs. Those of the image cancel: the crop
    # shifts them by (grid - columns) / 2, which is what the two centres differ by. The same bits, half the passes.
    last = (samples.ndim - 1,)
    image = alternated(samples, last)
    image = np.fft.ifft(image, norm="ortho", out=image)
    kspace = np.fft.fft(resized(image, (columns,), (-1,)), norm="ortho")
    return alternated(kspace, last, out=kspace)
