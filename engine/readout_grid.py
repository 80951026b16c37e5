"""Where the samples of a readout lie on the grid along the readout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import DataError
from .mrd_layout import AcquisitionFlag


@dataclass(frozen=True, slots=True)
class Place:
    """The kept samples of a readout on the encoded grid, once in the order of k."""

    start: int
    """Grid index of the first kept sample; k=0 is at half the grid."""
    stop: int
    """Grid index after the last kept sample."""
    kept: slice
    """Kept samples, counted in the order of k."""
    reversed: bool
    """True if the samples were acquired from high to low k and must be turned round."""
    note: str = ""
    """What was assumed, for the history."""


def placed(header: np.void, length: int, grid: int) -> Place:
    """Place a readout.

    ``center_sample`` counts in the order of k; ``discard_pre`` and ``discard_post`` count in the order of acquisition,
    as the digitizer saw it. A readout as long as the grid can only be symmetric, so a ``center_sample`` of 0 there is
    read as not given.

    Parameters
    ----------
    header
        () of ``ACQUISITION_DTYPE``.
    length
        Samples of the readout.
    grid
        Length of the encoded grid.

    Raises
    ------
    DataError
        The kept samples reach beyond the grid.
    """
    backwards = bool(int(header["flags"]) & AcquisitionFlag.IS_REVERSE.bit)
    pre, post = int(header["discard_pre"]), int(header["discard_post"])
    if backwards:
        pre, post = post, pre
    center, note = int(header["center_sample"]), ""
    if center == 0 and length == grid > 1:
        center, note = grid // 2, " (center_sample was not given: taken as the middle)"
    offset = grid // 2 - center
    place = Place(offset + pre, offset + length - post, slice(pre, length - post), backwards, note)
    if not 0 <= place.start < place.stop <= grid:
        raise DataError(
            f"a readout (scan_counter {int(header['scan_counter'])}) of {length} samples with center_sample "
            f"{int(header['center_sample'])}, discard_pre {pre} and discard_post {post} would cover the columns "
            f"{place.start} to {place.stop - 1}, expected within 0 to {grid - 1} of the encoded matrix"
        )
    return place
