"""Radial, spiral and other readouts gathered into the k-space of images, with their trajectories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..engine.errors import DataError, LimitExceeded
from ..engine.gadget import Context, Gadget
from ..engine.messages import Preparation, Readouts, Text
from ..engine.mrd_header import Encoding
from ..engine.mrd_layout import NOT_IMAGING
from ..engine.records import Key, TrajectoryKSpace
from ._image_keys import described, ended_by_flag, keys_of, superseded
from ._readout_blocks import ENDS, GRIDDED, cuts
from ._trajectory_buffer import TrajectoryBuffer

_EDGE = 0.5 + 1e-5  # single precision rounds the edge of k-space


@dataclass
class _Stream:
    """What has come of one variant of the scan."""

    prepared: Preparation
    open: dict[Key, TrajectoryBuffer] = field(default_factory=dict)
    passes: Counter[Key] = field(default_factory=Counter)


@dataclass(kw_only=True)
class AccumulateTrajectories(Gadget[Readouts, TrajectoryKSpace | Text]):
    """Gather readouts that come with trajectories into one ``TrajectoryKSpace`` an image.

    An image is an encoding space, repetition, set, phase, contrast and slice; averages are more readouts of it. It ends
    by flag (LAST_IN_SLICE, LAST_IN_REPETITION, LAST_IN_MEASUREMENT), by count once every readout that the header's
    limits promise has come, when a later repetition of its slice begins, or with the scan. Samples marked as discarded
    are left out.
    """

    unit: Literal["cycles_per_pixel", "cycles_per_field_of_view"] = "cycles_per_pixel"
    """Of the trajectories that come: of a pixel (-0.5 to 0.5) or of the field of view of the encoded space."""
    sequential: tuple[Literal["repetition", "contrast", "set", "phase"], ...] = ("repetition",)
    """Counters that the scan runs through one after another: a new value in a slice ends that slice's images with
    another. Counters that interleave, as echoes do, must not be named."""
    kspace_bytes: Annotated[int, Field(gt=0)] | None = None
    """Largest k-space of one image over all coils, with its trajectory, in bytes; None, or more than the engine's own
    limit, is that limit."""
    open_images: Annotated[float, Field(ge=1, le=16)] = 4.0
    """Memory for images that have begun and not ended, in k-spaces of the largest size."""

    _encodings: tuple[Encoding, ...] = field(init=False)
    _limit: int = field(init=False, default=0)
    _streams: dict[str, _Stream] = field(init=False, default_factory=dict)
    _now: _Stream = field(init=False)
    _apart: int = field(init=False, default=0)

    def start(self, context: Context) -> None:
        """Note the encoding spaces."""
        self._encodings = context.header.encodings
        self._limit = min(self.kspace_bytes or context.kspace_bytes, context.kspace_bytes)

    def receive(self, message: Readouts) -> Iterable[TrajectoryKSpace | Text]:
        """Add a block; what it completes leaves in the order in which it became complete."""
        self._now = self._streams.setdefault(message.prepared.variant, _Stream(message.prepared))
        self._now.prepared = message.prepared
        edges = cuts(message, self.sequential)
        for first, last in zip([0, *edges], [*edges, len(message)], strict=True):
            part = message[first:last]
            imaging = (part.headers["flags"] & np.uint64(NOT_IMAGING)) == 0
            self._apart += int(np.count_nonzero(~imaging))
            if imaging.any():
                yield from self._gather(part[imaging])
            if len(part):
                yield from self._end_by_flag(part.headers[-1], imaging=bool(imaging[-1]))

    def finish(self) -> Iterator[TrajectoryKSpace | Text]:
        """End what is open, in the order of the keys."""
        for stream in self._streams.values():
            self._now = stream
            for key in sorted(stream.open):
                yield from self._emit(key)
        if self._apart:
            yield Text(f"DBG accumulate_trajectories: {self._apart} readouts (navigators, calibration ...) are in none")

    def _gather(self, message: Readouts) -> Iterator[TrajectoryKSpace | Text]:
        """Take readouts of one encoding space, with no end among them but after the last."""
        space = int(message.headers["encoding_space_ref"][0])
        if space >= len(self._encodings):
            raise DataError(f"encoding_space_ref is {space}, the header has {len(self._encodings)} encodings")
        encoding = self._encodings[space]
        trajectory = self._trajectory(message, encoding)
        pre, post = (int(message.headers[name][0]) for name in ("discard_pre", "discard_post"))
        kept = slice(pre, message.samples.shape[2] - post)
        ended: list[tuple[int, Key, list[TrajectoryKSpace | Text]]] = []
        for key, chosen in keys_of(message.headers, space):
            first, left = int(chosen[0]), chosen
            ended += [
                (first, other, list(self._emit(other))) for other in superseded(key, self._now.open, self.sequential)
            ]
            while len(left):
                buffer = self._now.open.setdefault(key, TrajectoryBuffer(encoding))
                count = buffer.until_complete(message.headers[left])
                now = left[:count]
                # indexing copies: what stays must not hold on to the buffers that readouts came in
                buffer.add(message.headers[now], message.samples[now][:, :, kept], trajectory[now][:, kept])
                self._check_size(key)
                if count is not None:
                    ended.append((int(now[-1]), key, list(self._emit(key))))
                left = left[len(now) :]
        for _, _, messages in sorted(ended, key=lambda e: e[:2]):
            yield from messages

    def _trajectory(self, message: Readouts, encoding: Encoding) -> NDArray[np.float32]:
        """(N, samples, dims) in cycles per pixel, checked."""
        who = f"readouts from scan_counter {int(message.headers['scan_counter'][0])} on"
        if encoding.trajectory in GRIDDED:
            raise DataError(f"{who} are {encoding.trajectory!r}: accumulate grids those")
        if message.trajectory is None:
            raise DataError(f"{who} have no trajectory, expected one with a {encoding.trajectory!r} encoding")
        matrix = encoding.encoded.matrix
        dims = 2 if matrix[2] == 1 else 3
        if message.trajectory.shape[2] != dims:
            raise DataError(
                f"{who} have trajectories of {message.trajectory.shape[2]} dimensions, expected {dims} with an encoded "
                f"matrix of {' x '.join(map(str, matrix))}"
            )
        trajectory = np.array(message.trajectory, np.float32)
        if self.unit == "cycles_per_field_of_view":
            trajectory /= np.array(matrix[:dims], np.float32)
        if not np.isfinite(trajectory).all():
            raise DataError(f"{who} have trajectories with values that are not finite")
        reach = float(np.abs(trajectory).max(initial=0))
        if reach > _EDGE:
            raise DataError(
                f"{who} have trajectories that reach {reach:g} cycles per pixel, expected at most 0.5 (unit is "
                f'"{self.unit}"; the other is "cycles_per_field_of_view" or "cycles_per_pixel")'
            )
        return trajectory

    def _check_size(self, key: Key) -> None:
        every = [buffer.nbytes for stream in self._streams.values() for buffer in stream.open.values()]
        own, total = self._now.open[key].nbytes, sum(every)
        if own > self._limit or total > self.open_images * self._limit:
            raise LimitExceeded(
                f"the k-space of {described(key)} takes {own} bytes so far, that of all {len(every)} images that "
                f"have begun {total}; allowed are {self._limit} and {self.open_images * self._limit:.0f}"
            )

    def _end_by_flag(self, header: np.void, *, imaging: bool) -> Iterator[TrajectoryKSpace | Text]:
        if not int(header["flags"]) & int(ENDS):
            return
        own, begun = None, self._now.open
        if imaging:
            ((key, _),) = keys_of(np.asarray(header).reshape(1), int(header["encoding_space_ref"]))
            # a writer may flag the end of each average
            own = key if key in begun and int(header["idx"]["average"]) >= begun[key].last_average else None
        for key in ended_by_flag(header, begun, own):
            yield from self._emit(key)

    def _emit(self, key: Key) -> Iterator[TrajectoryKSpace | Text]:
        buffer, prepared = self._now.open.pop(key), self._now.prepared
        self._now.passes[key] += 1
        data, trajectory, header = buffer.taken()
        step = f"accumulate_trajectories: {data.shape[1]} readouts of {data.shape[2]} samples"
        if buffer.missing:
            step += f", {buffer.missing} of {buffer.promised} promised missing"
            yield Text(
                f"WRN accumulate_trajectories: {described(key)} is incomplete: {buffer.missing} of {buffer.promised} "
                "readouts are missing"
            )
        if self._now.passes[key] > 1:
            step += f", pass {self._now.passes[key]} under the same counters"
            yield Text(f"WRN accumulate_trajectories: {described(key)} came again (pass {self._now.passes[key]})")
        yield TrajectoryKSpace(
            key=key,
            data=data,
            trajectory=trajectory,
            header=header,
            encoding=buffer.encoding,
            noise=prepared.noise,
            complete=buffer.missing == 0,
            missing=buffer.missing,
            variant=prepared.variant,
            history=(*prepared.history, step),
            meta=prepared.meta,
        )
