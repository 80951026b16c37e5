"""Readouts without their oversampling: the field of view along the readout cropped to that of the image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import DataError
from ..engine.gadget import Context, Gadget
from ..engine.messages import Readouts
from ..engine.mrd_header import Encoding, ScanHeader
from ..engine.mrd_layout import AcquisitionFlag
from ..engine.readout_grid import placed
from ..models.oversampling import remove_oversampling


@dataclass(kw_only=True)
class RemoveOversampling(Gadget[Readouts, Readouts]):
    """Crop the field of view along the readout from the encoded space's to the reconstruction space's.

    Asymmetric echoes are placed by ``center_sample`` first and discarded samples count as zero; reversed readouts are
    turned round. Noise readouts, readouts that are not Cartesian, and scans without oversampling pass unchanged; the
    trajectories that some writers send along with Cartesian readouts say nothing new and are left out.
    """

    _header: ScanHeader = field(init=False)

    def start(self, context: Context) -> None:
        """Note the grids."""
        self._header = context.header

    def receive(self, message: Readouts) -> Iterable[Readouts]:
        """Crop a block; readouts that lie differently on the grid are treated apart, in order."""
        headers = message.headers
        if message.prepared.columns is not None or len(message) == 0:
            return (message,)
        skipped = headers["flags"] & np.uint64(AcquisitionFlag.IS_NOISE_MEASUREMENT.bit | _REVERSE)
        names = ("encoding_space_ref", "center_sample", "discard_pre", "discard_post")
        same = np.all([headers[name][1:] == headers[name][:-1] for name in names], axis=0) & (
            skipped[1:] == skipped[:-1]
        )
        edges = (np.flatnonzero(~same) + 1).tolist()
        return [self._crop(message[a:b]) for a, b in zip([0, *edges], [*edges, len(message)], strict=True)]

    def _crop(self, message: Readouts) -> Readouts:
        head = message.headers[0]
        space = int(head["encoding_space_ref"])
        if int(head["flags"]) & AcquisitionFlag.IS_NOISE_MEASUREMENT.bit:
            return message
        if space >= len(self._header.encodings):
            raise DataError(f"encoding_space_ref is {space}, the header has {len(self._header.encodings)} encodings")
        encoding = self._header.encodings[space]
        grid, columns = encoding.encoded.matrix[0], columns_without_oversampling(encoding)
        if columns >= grid or (message.trajectory is not None and encoding.trajectory != "cartesian"):
            return message
        place = placed(message.headers[0], message.samples.shape[2], grid)
        samples = message.samples[:, :, :: -1 if place.reversed else 1][:, :, place.kept]
        samples = remove_oversampling(samples, grid=grid, start=place.start, columns=columns)
        history = (*message.prepared.history, f"remove_oversampling: {grid} to {columns} columns{place.note}")
        return replace(
            message,
            headers=_new_headers(message.headers, place.start, place.stop, grid, columns),
            samples=samples,
            trajectory=None,
            prepared=replace(message.prepared, columns=columns, history=history),
        )


_REVERSE = AcquisitionFlag.IS_REVERSE.bit


def columns_without_oversampling(encoding: Encoding) -> int:
    """Length of the readout grid whose field of view is that of the reconstruction space.

    It goes by the fields of view where the header gives them, else by the matrices.
    """
    encoded, recon = encoding.encoded, encoding.recon
    if encoded.field_of_view[0] > 0 and recon.field_of_view[0] > 0:
        return max(1, round(encoded.matrix[0] * recon.field_of_view[0] / encoded.field_of_view[0]))
    return recon.matrix[0]


def _new_headers(headers: NDArray[np.void], start: int, stop: int, grid: int, columns: int) -> NDArray[np.void]:
    """Describe the new readouts: symmetric, forward, and with the columns that hold no acquired sample to discard."""
    ratio = columns / grid
    first = int(np.ceil((start - grid // 2) * ratio)) + columns // 2
    last = int(np.floor((stop - 1 - grid // 2) * ratio)) + columns // 2
    changed = headers.copy()
    changed["flags"] &= np.uint64(~_REVERSE & 0xFFFF_FFFF_FFFF_FFFF)
    changed["number_of_samples"] = columns
    changed["trajectory_dimensions"] = 0
    changed["center_sample"] = columns // 2
    changed["discard_pre"] = min(max(first, 0), columns - 1)
    changed["discard_post"] = min(max(columns - 1 - last, 0), columns - 1)
    if start == 0 and stop == grid:
        changed["discard_pre"] = changed["discard_post"] = 0
    changed["sample_time_us"] = headers["sample_time_us"] / np.float32(ratio)
    return changed
