"""Readouts against their header, before anything is computed from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import DataError
from ..engine.gadget import Context, Gadget
from ..engine.messages import Readouts, Text
from ..engine.mrd_header import Encoding, Limit, ScanHeader
from ..engine.mrd_layout import NOT_IMAGING, AcquisitionFlag
from ._readout_blocks import GRIDDED

_NOT_GRIDDED = NOT_IMAGING & ~AcquisitionFlag.IS_PARALLEL_CALIBRATION.bit
"""Flags of readouts whose shape and counters are their own affair: noise, navigators, phase correction ..."""
_COUNTERS = ("average", "slice", "contrast", "phase", "repetition", "set", "segment")


@dataclass(kw_only=True)
class CheckReadouts(Gadget[Readouts, Readouts | Text]):
    """Hold every readout against the header and refuse, by number, the first that contradicts it.

    Looks at the encoding space, channels, samples and their place on the encoded grid, the encoding counters against
    their limits, a change of shape within an encoding space, and samples that are no finite numbers. Readouts of
    radial, spiral and such encodings lie on no grid: any length will do, and any number unless there are limits.
    """

    non_finite: Literal["refuse", "zero"] = "refuse"
    """What readouts with NaN or infinite samples get: an error, or zeros in place of those samples and a warning."""

    _header: ScanHeader = field(init=False)
    _bounds: list[dict[str, Limit]] = field(init=False)
    _shapes: dict[int, tuple[int, int]] = field(init=False, default_factory=dict)
    _seen: Counter[str] = field(init=False, default_factory=Counter)
    """Readouts so far, by variant."""
    _zeroed: int = field(init=False, default=0)

    def start(self, context: Context) -> None:
        """Note what the header allows."""
        self._header = context.header
        self._bounds = [_bounds(encoding) for encoding in context.header.encodings]

    def receive(self, message: Readouts) -> Iterable[Readouts | Text]:
        """Check a block; its samples leave aligned and contiguous, for the gadgets that compute."""
        if len(message) == 0:
            return
        gridded = (message.headers["flags"] & np.uint64(_NOT_GRIDDED)) == 0
        self._check_shape(message, gridded)
        for space in np.unique(message.headers["encoding_space_ref"][gridded]).tolist():
            self._check_space(message, int(space), gridded & (message.headers["encoding_space_ref"] == space))
        samples: NDArray[np.complex64] = np.require(message.samples, np.complex64, ["C", "A"])
        parts = samples.view(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.add.reduce(parts, axis=None)
        if not np.isfinite(total):  # something is not finite, or finite numbers add up to more than a float32 holds
            finite = np.isfinite(parts)
            if not finite.all():
                samples = self._treat_non_finite(message, samples, finite)
                if not self._zeroed:
                    yield Text("WRN check_readouts: samples that are no finite numbers are set to zero")
                self._zeroed += int(np.count_nonzero(~finite.reshape(-1, 2).all(axis=1)))
        self._seen[message.prepared.variant] += len(message)
        yield replace(message, samples=samples)

    def finish(self) -> Iterator[Text]:
        """Say how many samples were set to zero."""
        if self._zeroed:
            yield Text(f"WRN check_readouts: {self._zeroed} samples that were no finite numbers were set to zero")

    def _check_shape(self, message: Readouts, gridded: NDArray[np.bool_]) -> None:
        """Headers against the samples beside them, and channels against the XML header."""
        headers, (_, channels, length) = message.headers, message.samples.shape
        self._refuse(message, headers["number_of_samples"] != length, "number_of_samples", f"{length} as its data have")
        self._refuse(message, headers["active_channels"] != channels, "active_channels", f"{channels} as its data have")
        expected = self._header.receiver_channels
        if expected is not None and channels != expected:
            everywhere = np.ones(len(message), np.bool_)
            self._refuse(message, everywhere, "active_channels", f"{expected} (the header's receiverChannels)")
        spaces = len(self._header.encodings)
        wrong = gridded & (headers["encoding_space_ref"] >= spaces)
        self._refuse(message, wrong, "encoding_space_ref", f"less than {spaces} (the header's encodings)")

    def _check_space(self, message: Readouts, space: int, chosen: NDArray[np.bool_]) -> None:
        """Gridded readouts of one encoding space: shape as before, samples on the grid, counters within limits."""
        headers, shape = message.headers, message.samples.shape[1:]
        before = self._shapes.setdefault(space, shape)
        if before[0] != shape[0]:
            self._refuse(message, chosen, "active_channels", f"{before[0]} as earlier in encoding space {space}")
        if before[1] != shape[1]:
            self._refuse(message, chosen, "number_of_samples", f"{before[1]} as earlier in encoding space {space}")
        encoding = self._header.encodings[space]
        grid = encoding.encoded.matrix[0] if encoding.trajectory in GRIDDED else shape[1]
        kept = shape[1] - headers["discard_pre"].astype(np.int64) - headers["discard_post"]
        wrong = chosen & ((kept > grid) | (kept < 1))
        limits = f"1 to {grid} (encoded matrix x) after discard_pre and discard_post"
        self._refuse(message, wrong, "number_of_samples", limits)
        for name, limit in self._bounds[space].items():
            values = headers["idx"][name]
            wrong = chosen & ((values < limit.minimum) | (values > limit.maximum))
            self._refuse(message, wrong, f"idx.{name}", f"{limit.minimum} to {limit.maximum} (encoding {space})")

    def _treat_non_finite(
        self, message: Readouts, samples: NDArray[np.complex64], finite: NDArray[np.bool_]
    ) -> NDArray[np.complex64]:
        good = np.logical_and(finite[..., 0::2], finite[..., 1::2])
        if self.non_finite == "refuse":
            counts = np.count_nonzero(~good, axis=(1, 2))
            first = int(np.argmax(counts > 0))
            raise DataError(
                f"{self._name(message, first)} has {counts[first]} samples that are no finite "
                f'numbers; expected finite ones (check_readouts.non_finite = "zero" would zero them)'
            )
        return np.where(good, samples, np.complex64(0))

    def _refuse(self, message: Readouts, wrong: NDArray[np.bool_], name: str, expected: str) -> None:
        if not wrong.any():
            return
        first = int(np.argmax(wrong))
        table: Mapping[str, Any] = message.headers[first]
        for part in name.split("."):
            table = table[part]
        raise DataError(f"{self._name(message, first)}: {name} is {table}, expected {expected}")

    def _name(self, message: Readouts, index: int) -> str:
        number = self._seen[message.prepared.variant] + index + 1
        return f"readout {number} (scan_counter {message.headers['scan_counter'][index]})"


def _bounds(encoding: Encoding) -> dict[str, Limit]:
    """Limits by name in the readout header.

    Lines and partitions without limits may use the whole encoded matrix, spokes and spirals may be any number.
    """
    found = {name: encoding.limits[name] for name in _COUNTERS if name in encoding.limits}
    for number in (1, 2):
        size = encoding.encoded.matrix[number] if encoding.trajectory in GRIDDED else 0x10000
        whole = Limit(0, size - 1, size // 2)
        found[f"kspace_encode_step_{number}"] = encoding.limits.get(f"kspace_encoding_step_{number}", whole)
    return found
