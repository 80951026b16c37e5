"""Where k-space is fully sampled about its centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def calibration_region(lines: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the fully sampled rectangle about k = 0, grown line by line on all sides in turn.

    Parameters
    ----------
    lines
        (kz, ky) bool, or any other two axes: what was acquired; k = 0 at index n // 2.

    Returns
    -------
        Along the two axes; of no lines if the centre was not acquired.
    """
    nz, ny = lines.shape
    low, high = [nz // 2, ny // 2], [nz // 2 + 1, ny // 2 + 1]
    if not lines[nz // 2, ny // 2]:
        return slice(0, 0), slice(0, 0)
    growing = True
    while growing:
        growing = False
        for axis in (1, 0):
            for edge, step in ((low, -1), (high, 1)):
                place = edge[axis] - 1 if step < 0 else edge[axis]
                if not 0 <= place < lines.shape[axis]:
                    continue
                across = slice(low[1 - axis], high[1 - axis])
                if (lines[place, across] if axis == 0 else lines[across, place]).all():
                    edge[axis] += step
                    growing = True
    return slice(low[0], high[0]), slice(low[1], high[1])
