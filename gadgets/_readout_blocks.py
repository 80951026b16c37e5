"""Blocks of readouts: where they must be cut, and how they lie on the readout grid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import DataError
from ..engine.messages import Readouts
from ..engine.mrd_header import Encoding
from ..engine.mrd_layout import NOT_IMAGING, AcquisitionFlag
from ..engine.readout_grid import placed

F = AcquisitionFlag
APART = np.uint64(NOT_IMAGING & ~F.IS_PARALLEL_CALIBRATION.bit)
"""Flags of readouts that are neither lines of an image nor of a calibration region."""
ENDS = np.uint64(F.LAST_IN_SLICE.bit | F.LAST_IN_REPETITION.bit | F.LAST_IN_MEASUREMENT.bit)
"""Flags that may end an image."""
GRIDDED = ("cartesian", "epi")
"""Trajectories, as the header names them, whose readouts the encoding counters place on a grid."""


class OnGrid(NamedTuple):
    """Readouts on the readout grid."""

    samples: NDArray[np.complex64]
    """(N, coils, samples) in the order of k."""
    columns: int
    """Length of the grid."""
    start: int
    """Column of the first sample."""
    filled: tuple[int, int]
    """First column, and the column after the last, that acquired samples fill."""


def cuts(message: Readouts, sequential: tuple[str, ...]) -> list[int]:
    """Where a block must be cut: after flags that may end an image, where placement or sequential counters change."""
    headers = message.headers
    if len(headers) < 2:
        return []
    cut = (headers["flags"][:-1] & ENDS) != 0
    for name in ("encoding_space_ref", "center_sample", "discard_pre", "discard_post"):
        cut |= headers[name][1:] != headers[name][:-1]
    reverse = (headers["flags"] & np.uint64(F.IS_REVERSE.bit)) != 0
    cut |= (reverse[1:] != reverse[:-1]) & (headers["discard_pre"] != headers["discard_post"])[1:]  # they change ends
    for name in sequential:
        cut |= headers["idx"][name][1:] != headers["idx"][name][:-1]
    return (np.flatnonzero(cut) + 1).tolist()


def on_grid(message: Readouts, encoding: Encoding) -> OnGrid:
    """Place readouts, which lie alike, on the readout grid."""
    headers, samples, columns = message.headers, message.samples, message.prepared.columns
    if columns is not None:
        if samples.shape[2] != columns:
            raise DataError(f"readouts have {samples.shape[2]} samples, expected {columns} as prepared")
        filled = (int(headers["discard_pre"][0]), columns - int(headers["discard_post"][0]))
        return OnGrid(samples, columns, 0, filled)
    grid = encoding.encoded.matrix[0]
    backwards = (headers["flags"] & np.uint64(F.IS_REVERSE.bit)) != 0
    place = placed(headers[0], samples.shape[2], grid)
    if backwards.any():
        samples = np.where(backwards[:, None, None], samples[:, :, ::-1], samples)
    return OnGrid(samples[:, :, place.kept], grid, place.start, (place.start, place.stop))
