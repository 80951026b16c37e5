"""Readouts gathered into the k-space of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..engine.errors import DataError, LimitExceeded
from ..engine.gadget import Context, Gadget
from ..engine.messages import Preparation, Readouts, Text
from ..engine.mrd_header import Encoding
from ..engine.mrd_layout import AcquisitionFlag
from ..engine.records import Key, KSpace
from ._image_keys import described, ended_by_flag, keys_of, superseded
from ._kspace_buffer import KSpaceBuffer, ranks_of
from ._readout_blocks import APART, ENDS, GRIDDED, OnGrid, cuts, on_grid
from ._sampling import Sampling

F = AcquisitionFlag
_CALIBRATION = F.IS_PARALLEL_CALIBRATION.bit
_BOTH = F.IS_PARALLEL_CALIBRATION_AND_IMAGING.bit
_CALIBRATING = np.uint64(_CALIBRATION | _BOTH)


@dataclass
class _Stream:
    """What has come of one variant of the scan."""

    prepared: Preparation
    open: dict[Key, KSpaceBuffer] = field(default_factory=dict)
    passes: Counter[Key] = field(default_factory=Counter)
    calibrated: set[tuple[int, int]] = field(default_factory=set)
    """Encoding spaces and slices of which calibration lines have come."""


@dataclass(kw_only=True)
class Accumulate(Gadget[Readouts, KSpace | Text]):
    """Gather Cartesian readouts into one ``KSpace`` an image, each line placed as it arrives.

    An image is an encoding space, repetition, set, phase, contrast and slice; partitions are its third dimension. It
    ends by flag (LAST_IN_SLICE, LAST_IN_REPETITION, LAST_IN_MEASUREMENT), by count once every line that the header
    promises has come, when a later repetition of its slice begins, or with the scan. Lines that never came are zero,
    and that is said. Lines of an image that has ended begin it again, as another pass.
    """

    split_averages: bool = False
    """Give every average an image of its own instead of combining them."""
    split_segments: bool = False
    """Give every segment an image of its own."""
    duplicates: Literal["average", "last"] = "average"
    """What a line that comes again does, averages included: add to the mean, or replace."""
    sequential: tuple[Literal["repetition", "contrast", "set", "phase"], ...] = ("repetition",)
    """Counters that the scan runs through one after another: a new value in a slice ends that slice's images with
    another. Counters that interleave, as echoes do, must not be named."""
    kspace_bytes: Annotated[int, Field(gt=0)] | None = None
    """Largest grid of one image over all coils, in bytes; None, or more than the engine's own limit, is that limit."""
    open_images: Annotated[float, Field(ge=1, le=16)] = 4.0
    """Memory for images that have begun and not ended, in grids of the largest size."""

    _encodings: tuple[Encoding, ...] = field(init=False)
    _sampling: dict[int, Sampling] = field(init=False, default_factory=dict)
    _limit: int = field(init=False, default=0)
    _streams: dict[str, _Stream] = field(init=False, default_factory=dict)
    _now: _Stream = field(init=False)
    _apart: int = field(init=False, default=0)
    _with_trajectory: int = field(init=False, default=0)

    def start(self, context: Context) -> None:
        """Note the encoding spaces."""
        self._encodings = context.header.encodings
        self._limit = min(self.kspace_bytes or context.kspace_bytes, context.kspace_bytes)

    def receive(self, message: Readouts) -> Iterable[KSpace | Text]:
        """Place a block; what it completes leaves in the order in which it became complete."""
        self._now = self._streams.setdefault(message.prepared.variant, _Stream(message.prepared))
        self._now.prepared = message.prepared
        edges = cuts(message, self.sequential)
        for first, last in zip([0, *edges], [*edges, len(message)], strict=True):
            part = message if last - first == len(message) else message[first:last]
            apart = (part.headers["flags"] & APART) != 0
            if apart.any():
                self._apart += int(np.count_nonzero(apart))
            gridded = part[~apart] if apart.any() else part
            if len(gridded):
                yield from self._gather(gridded)
            if len(part):
                yield from self._end_by_flag(part.headers[-1], gridded=not apart[-1])

    def finish(self) -> Iterator[KSpace | Text]:
        """End what is open, in the order of the keys."""
        for stream in self._streams.values():
            self._now = stream
            for key in sorted(stream.open):
                yield from self._emit(key)
        if self._apart:
            yield Text(f"DBG accumulate: {self._apart} readouts (navigators, phase correction ...) are in no image")
        if self._with_trajectory:
            yield Text(
                f"DBG accumulate: {self._with_trajectory} Cartesian readouts came with trajectories, "
                "which are not used: the encoding counters place them"
            )

    def _gather(self, message: Readouts) -> Iterator[KSpace | Text]:
        """Take readouts that lie alike on the readout grid, with no end among them but after the last."""
        headers = message.headers
        space = int(headers["encoding_space_ref"][0])
        if space >= len(self._encodings):
            raise DataError(f"encoding_space_ref is {space}, the header has {len(self._encodings)} encodings")
        encoding = self._encodings[space]
        if encoding.trajectory not in GRIDDED:
            raise DataError(
                f"encoding {space} is {encoding.trajectory!r}; "
                f"accumulate grids only {' and '.join(GRIDDED)} readouts, accumulate_trajectories gathers others"
            )
        if message.trajectory is not None:
            if encoding.trajectory != "cartesian":
                raise DataError(f"encoding {space} is {encoding.trajectory!r} with trajectories: those need regridding")
            self._with_trajectory += len(message)  # some writers send them along; the counters say the same
        if space not in self._sampling:
            self._sampling[space] = Sampling.of(encoding, split_averages=self.split_averages)
        grid = on_grid(message, encoding)
        places = self._sampling[space].places(headers)
        ended: list[tuple[int, Key, list[KSpace | Text]]] = []
        for key, chosen in self._keys(headers, space):
            first = int(chosen[0])
            ended += [
                (first, other, list(self._emit(other))) for other in superseded(key, self._now.open, self.sequential)
            ]
            begun = 0
            while begun < len(chosen):
                begun, complete = self._place(key, headers, grid, places, chosen, begun)
                if complete:
                    ended.append((int(chosen[begun - 1]), key, list(self._emit(key))))
        for _, _, messages in sorted(ended, key=lambda e: e[:2]):
            yield from messages
        calibrating = headers["idx"]["slice"][(headers["flags"] & _CALIBRATING) != 0]
        self._now.calibrated.update((space, int(number)) for number in np.unique(calibrating))

    def _place(
        self,
        key: Key,
        headers: NDArray[np.void],
        grid: OnGrid,
        places: NDArray[np.intp],
        chosen: NDArray[np.intp],
        begun: int,
    ) -> tuple[int, bool]:
        """Add readouts of one image from number ``begun`` of ``chosen`` on; return the next, and if it is done."""
        chosen = chosen[begun:]
        buffer = self._buffer(key, grid)
        flags, where = headers["flags"][chosen], places[chosen]
        calibration = (flags & _CALIBRATING) != 0
        imaging = (flags & np.uint64(_CALIBRATION)) == 0
        count = buffer.until_complete(where, ranks_of(np.where(imaging, where, -1)), imaging)
        if count is not None and not self._ends_by_count(key, int(chosen[count - 1]), headers):
            count = None
        now = chosen[:count]
        whole = len(now) == len(headers)
        buffer.add(
            headers if whole else headers[now],
            where[:count],
            grid.samples if whole else grid.samples[now],
            start=grid.start,
            filled=grid.filled,
            imaging=imaging[:count],
            calibration=calibration[:count],
        )
        return begun + len(now), count is not None

    def _ends_by_count(self, key: Key, last: int, headers: NDArray[np.void]) -> bool:
        """Whether calibration lines that are promised have begun by the readout that completes the image."""
        if not self._sampling[key.encoding_space].calibration_expected:
            return True
        until = headers[: last + 1]
        now = ((until["flags"] & _CALIBRATING) != 0) & (until["idx"]["slice"] == key.slice)
        return (key.encoding_space, key.slice) in self._now.calibrated or bool(now.any())

    def _buffer(self, key: Key, grid: OnGrid) -> KSpaceBuffer:
        if key in self._now.open:
            return self._now.open[key]
        coils, columns = grid.samples.shape[1], grid.columns
        sampling = self._sampling[key.encoding_space]
        nbytes = 8 * coils * columns * sampling.grid[0] * sampling.grid[1]
        if nbytes > self._limit:
            raise LimitExceeded(
                f"the k-space of one image would take {nbytes} bytes ({coils} coils, {sampling.grid[0]} partitions, "
                f"{sampling.grid[1]} lines, {columns} columns), at most {self._limit} are allowed"
            )
        others = [buffer.nbytes for stream in self._streams.values() for buffer in stream.open.values()]
        begun = sum(others)
        if begun + nbytes > self.open_images * self._limit:
            raise LimitExceeded(
                f"{len(others)} images have begun and not ended and take {begun} bytes; another of {nbytes} would "
                f"exceed the {self.open_images * self._limit:.0f} allowed"
            )
        buffer = KSpaceBuffer(sampling, coils, columns, latest=self.duplicates == "last")
        self._now.open[key] = buffer
        return buffer

    def _end_by_flag(self, header: np.void, *, gridded: bool) -> Iterator[KSpace | Text]:
        if not int(header["flags"]) & int(ENDS):
            return
        own = None
        if gridded:
            ((key, _),) = self._keys(np.asarray(header).reshape(1), int(header["encoding_space_ref"]))
            last_average = self._sampling[key.encoding_space].averages - 1  # of a writer that flags each average's end
            own = key if int(header["idx"]["average"]) >= last_average else None
        for key in ended_by_flag(header, self._now.open, own):
            yield from self._emit(key)

    def _keys(self, headers: NDArray[np.void], space: int) -> Iterator[tuple[Key, NDArray[np.intp]]]:
        return keys_of(headers, space, split_averages=self.split_averages, split_segments=self.split_segments)

    def _emit(self, key: Key) -> Iterator[KSpace | Text]:
        buffer, prepared = self._now.open.pop(key), self._now.prepared
        where = described(key)
        if not buffer.imaging.counts.any():
            yield Text(f"WRN accumulate: {where} has {buffer.readouts} calibration lines and no imaging line: no image")
            return
        self._now.passes[key] += 1
        encoding = self._encodings[key.encoding_space]
        missing, promised = buffer.missing, buffer.promised
        steps = [f"accumulate: {int((buffer.imaging.counts > 0).sum())} of {promised} promised lines"]
        if missing:
            steps.append(f"{missing} lines missing, zero-filled")
            yield Text(f"WRN accumulate: {where} is incomplete: {missing} of {promised} lines are missing and zero")
        if self._now.passes[key] > 1:
            steps.append(f"pass {self._now.passes[key]} under the same counters")
            yield Text(
                f"WRN accumulate: {where} came again (pass {self._now.passes[key]}): its counters tell no difference"
            )
        again = int((buffer.imaging.counts > buffer.sampling.averages).sum())
        if again:
            steps.append(f"{again} lines came more often than promised ({self.duplicates})")
        grid = buffer.sampling.grid
        calibration = buffer.calibration
        assert buffer.header is not None  # set with the first readout
        if prepared.columns is not None:
            encoded, recon = encoding.encoded, encoding.recon
            x = (recon.field_of_view[0], *encoded.field_of_view[1:])
            cropped = replace(encoded, matrix=(buffer.columns, *encoded.matrix[1:]), field_of_view=x)
            encoding = replace(encoding, encoded=cropped)
        yield KSpace(
            key=key,
            data=buffer.imaging.taken(grid),
            sampled=(buffer.imaging.counts > 0).reshape(grid),
            header=buffer.header,
            encoding=encoding,
            calibration=None if calibration is None else calibration.taken(grid),
            calibration_sampled=None if calibration is None else (calibration.counts > 0).reshape(grid),
            sampled_columns=slice(*buffer.filled),
            noise=prepared.noise,
            complete=missing == 0,
            missing=missing,
            readouts=buffer.readouts,
            variant=prepared.variant,
            history=(*prepared.history, ", ".join(steps)),
            meta=prepared.meta,
        )
