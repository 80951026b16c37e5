"""What a replay found out, as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

import numpy as np

from .replay_compare import ImageDifference
from .replay_stress import StressReport

MIB = 1024 * 1024


class Outcome(Enum):
    """How a session ended."""

    OK = "ok"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, kw_only=True)
class SessionReport:
    """One session: one file, sent once."""

    name: str
    """``session 3``, or ``session 3 loop 2`` where sessions are repeated."""
    file: str
    outcome: Outcome
    code: str | None = None
    """Code of the error that ended it."""
    error: str | None = None
    readouts: int = 0
    """Readouts sent."""
    nbytes: int = 0
    """Bytes sent in readouts: headers, samples, trajectories."""
    images: int = 0
    """Images received."""
    seconds: float = 0.0
    """From connecting to the engine's last word."""
    lateness_seconds: float | None = None
    """How far a readout was behind its due time at most; None at full speed."""


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """One file that was replayed."""

    file: str
    readouts: int
    nbytes: int
    chain: str
    pace: str
    """Where the readouts' times came from, or ``as fast as the engine takes it``."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Last readout sent to image received, over all images, in seconds."""

    images: int
    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self | None:
        """Summarise; None if there is nothing to."""
        if not seconds:
            return None
        p50, p95, p99, most = np.percentile(np.asarray(seconds), (50, 95, 99, 100)).tolist()
        return cls(images=len(seconds), p50=p50, p95=p95, p99=p99, max=most)


@dataclass(frozen=True, kw_only=True)
class ErrorKind:
    """Sessions that failed with one code."""

    code: str
    sessions: int
    example: str


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    """What a replay found out."""

    target: str
    """The engine's address and the protocol."""
    speed: str
    """``max``, or how many times faster than the scanner."""
    interrupted: bool = False
    seconds: float
    """From the first session's start to the last one's end."""
    files: tuple[FileReport, ...]
    sessions_planned: int
    sessions: tuple[SessionReport, ...]
    """In the order in which they ended."""
    latency: Latency | None = None
    images_without_readouts: int = 0
    """Images whose counters no readout has that had been sent: they have no latency."""
    differences: tuple[ImageDifference, ...] = field(default=())
    stress: tuple[StressReport, ...] = ()
    """What perturbations did to the images, by file; empty where nothing was perturbed. No failure, whatever it is."""

    @property
    def ok(self) -> bool:
        """Whether every session completed, and equal scans gave equal images."""
        return self.count(Outcome.OK) == self.sessions_planned and not self.differences

    def count(self, outcome: Outcome) -> int:
        """Return how many sessions ended so."""
        return sum(s.outcome is outcome for s in self.sessions)

    @property
    def readouts(self) -> int:
        """Readouts sent."""
        return sum(s.readouts for s in self.sessions)

    @property
    def nbytes(self) -> int:
        """Bytes sent in readouts."""
        return sum(s.nbytes for s in self.sessions)

    @property
    def images(self) -> int:
        """Images received."""
        return sum(s.images for s in self.sessions)

    @property
    def readouts_per_second(self) -> float:
        """Readouts sent per second, over all sessions."""
        return self.readouts / self.seconds if self.seconds else 0.0

    @property
    def mib_per_second(self) -> float:
        """MiB sent per second, over all sessions."""
        return self.nbytes / MIB / self.seconds if self.seconds else 0.0

    @property
    def lateness_seconds(self) -> float | None:
        """How far a readout was behind its due time at most; None at full speed."""
        return max((s.lateness_seconds for s in self.sessions if s.lateness_seconds is not None), default=None)

    @property
    def errors(self) -> tuple[ErrorKind, ...]:
        """Errors by code, the most frequent first, each with the first one's text."""
        kinds: dict[str, list[SessionReport]] = {}
        for session in self.sessions:
            if session.code is not None:
                kinds.setdefault(session.code, []).append(session)
        found = [ErrorKind(code=c, sessions=len(s), example=f"{s[0].name}: {s[0].error}") for c, s in kinds.items()]
        return tuple(sorted(found, key=lambda kind: -kind.sessions))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data for JSON, summaries included."""
        plain = dataclasses.asdict(self)
        for session in plain["sessions"]:
            session["outcome"] = session["outcome"].value
        summary = {
            "ok": self.ok,
            **{f"sessions_{outcome.value}": self.count(outcome) for outcome in Outcome},
            "readouts": self.readouts,
            "nbytes": self.nbytes,
            "images": self.images,
            "readouts_per_second": self.readouts_per_second,
            "mib_per_second": self.mib_per_second,
            "lateness_seconds": self.lateness_seconds,
            "errors": [dataclasses.asdict(kind) for kind in self.errors],
        }
        return {**summary, **plain}
