"""When a readout is due: by its time stamp, or by the repetition time where there are no stamps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import ConfigurationError, HeaderError
from ..engine.messages import Header
from ..engine.mrd_header import parse_header

TICK_SECONDS = 2.5e-3
"""Unit of ``acquisition_time_stamp``."""
_DAY_TICKS = round(24 * 3600 / TICK_SECONDS)


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """When each readout of a scan is due."""

    due: NDArray[np.float64]
    """(N,) seconds after the session's start, never falling."""
    source: str
    """Where the times come from, for the report."""


def pace(
    headers: NDArray[np.void], header: Header, *, speed: float, tr_ms: float | None = None, source: str = "the scan"
) -> Pace:
    """Say when each readout is due.

    Parameters
    ----------
    headers
        (N,) of ``ACQUISITION_DTYPE``, the whole scan in order.
    header
        The scan's MRD header, for its repetition time.
    speed
        How many times faster than the scanner.
    tr_ms
        Time from one readout to the next in ms, to be used instead of what the scan says.
    source
        The scan's name, for the error.

    Raises
    ------
    ConfigurationError
        The time stamps say nothing (all absent, or all equal), the header has no repetition time, and ``tr_ms`` is
        not given.
    """
    if tr_ms is not None:
        return _regular(len(headers), tr_ms, speed, f"{tr_ms:g} ms a readout, as asked for")
    ticks = _ticks(headers["acquisition_time_stamp"])
    if ticks is not None:
        return Pace(ticks.astype(np.float64) * (TICK_SECONDS / speed), "time stamps")
    try:
        repetition_times = parse_header(header.xml).sequence.get("TR", ())
    except HeaderError as error:
        raise ConfigurationError(f"{source}: no time stamps, and no repetition time: {error}") from error
    if not repetition_times or not repetition_times[0] > 0:
        raise ConfigurationError(
            f"{source} cannot be paced: its time stamps are absent or all equal and its header has no TR; "
            "give the time between readouts (--tr-ms), or replay it as fast as it goes (--speed max)"
        )
    return _regular(len(headers), repetition_times[0], speed, f"TR of the header, {repetition_times[0]:g} ms a readout")


def _regular(count: int, step_ms: float, speed: float, source: str) -> Pace:
    return Pace(np.arange(count, dtype=np.float64) * (step_ms * 1e-3 / speed), source)


def _ticks(stamps: NDArray[np.uint32]) -> NDArray[np.int64] | None:
    """Return ticks since the first readout, never falling; None if the stamps say nothing.

    A stamp of 0 is an absent one: that readout is due with the one before it. Stamps count from midnight, so a scan
    may run over it.
    """
    known = np.flatnonzero(stamps)
    if len(known) < 2:
        return None
    steps = np.diff(stamps[known].astype(np.int64))
    steps[steps < -_DAY_TICKS // 2] += _DAY_TICKS
    elapsed = np.concatenate([[0], np.cumsum(np.maximum(steps, 0))])
    if elapsed[-1] == 0:
        return None
    before = np.maximum(np.searchsorted(known, np.arange(len(stamps)), side="right") - 1, 0)
    return np.asarray(elapsed[before], np.int64)
