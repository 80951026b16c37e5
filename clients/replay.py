"""Replays raw data files at an engine, many sessions at once, to see how much it takes and that it repeats itself."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.curve_keys import CurveClient
from ..engine.errors import ConfigurationError
from ..engine.messages import Message
from .async_client import AsyncClient, Protocol
from .replay_compare import ImageComparison
from .replay_report import FileReport, Latency, Outcome, ReplayReport, SessionReport
from .replay_scan import ReplayScan, load_scan
from .replay_session import ReplaySession, Tally
from .replay_stress import StressReport, changed_series, new_warnings
from .undersampled_scan import MaskName

if TYPE_CHECKING:
    from ..models.perturbation.specification import Perturbation

FULL_SPEED = "as fast as the engine takes it"


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """What to replay, and how.

    Raises
    ------
    ConfigurationError
        The options contradict one another.
    """

    files: tuple[Path, ...]
    """MRD HDF5 files or files of MRD stream bytes; sessions take them in turn."""
    to: str = "tcp://127.0.0.1:9001"
    """The engine's address."""
    protocol: Protocol = "zmq"
    sessions: int = 8
    """Sessions at once."""
    loop: int = 1
    """How many times each of them is repeated."""
    speed: float | None = None
    """How many times faster than the scanner; None for as fast as the engine takes it."""
    chain: str | None = None
    """Name of a chain or a chain's TOML text; None for what the file asks for, else ``default``."""
    tr_ms: float | None = None
    """Time from one readout to the next (ms) to pace by, instead of time stamps."""

    undersample: float | None = None
    """Leave out lines, down to one of so many; None for the scan as it is. See ``undersampled_scan``."""
    mask: MaskName = "uniform"
    """Which lines then."""
    perturb: tuple[Perturbation, ...] = ()
    """What to do to the readouts, in order, in a second run of each session; see ``perturbed_scan``."""
    control: bool = False
    """Whether a third run sends white noise of the same norm."""
    seed: int = 0
    """Of perturbations that have none of their own."""
    curve: CurveClient | None = None
    """Keys for an engine that asks for them (ZeroMQ)."""

    def __post_init__(self) -> None:
        if not self.files:
            raise ConfigurationError("there is no file to replay")
        for name, value in (("sessions", self.sessions), ("loop", self.loop)):
            if value < 1:
                raise ConfigurationError(f"{name} is {value}, expected at least 1")
        if self.curve is not None and self.protocol != "zmq":
            raise ConfigurationError("CURVE keys are for ZeroMQ; MRD over TCP has none")
        for name, number in (("speed", self.speed), ("tr_ms", self.tr_ms)):
            if number is not None and not (number > 0 and math.isfinite(number)):
                raise ConfigurationError(f"{name} is {number:g}, expected a number above 0")
        if self.control and not self.perturb:
            raise ConfigurationError("a control is of the norm of a perturbation, and there is none")
        if self.tr_ms is not None and self.speed is None:
            raise ConfigurationError("tr_ms paces readouts, but the speed is max, which paces none; give a speed")
        if len(self.files) > self.sessions:
            raise ConfigurationError(
                f"{len(self.files)} files for {self.sessions} sessions: each file needs one, "
                f"give at least {len(self.files)} sessions"
            )


async def replay(
    options: ReplayOptions,
    *,
    client: AsyncClient | None = None,
    tally: Tally | None = None,
    stop: asyncio.Event | None = None,
) -> ReplayReport:
    """Replay files.

    Parameters
    ----------
    options
        What to replay, and how.
    client
        How to reach the engine, instead of ``options.to``: an engine in this process.
    tally
        Counted up meanwhile, for a display.
    stop
        When set, sessions under way are left and the report says what there is.

    Returns
    -------
    ReplayReport
        A session that fails is in it; it raises nothing and stops no other.

    Raises
    ------
    ConfigurationError
        A file cannot be read, or cannot be paced.
    """
    target = f"{options.to} ({options.protocol})" if client is None else "the given client's engine"
    client = client or AsyncClient(options.to, protocol=options.protocol, curve=options.curve)
    scans = [
        await asyncio.to_thread(
            load_scan,
            path,
            chain=options.chain,
            speed=options.speed,
            tr_ms=options.tr_ms,
            undersample=options.undersample,
            mask=options.mask,
            perturb=options.perturb,
            control=options.control,
            seed=options.seed,
        )
        for path in options.files
    ]
    run = _Run(options, scans, client, Tally() if tally is None else tally)
    start = time.perf_counter()
    interrupted = await run.all_sessions(asyncio.Event() if stop is None else stop)
    return ReplayReport(
        target=target,
        speed="max" if options.speed is None else f"{options.speed:g}",
        interrupted=interrupted,
        seconds=time.perf_counter() - start,
        files=tuple(_about(scan) for runs in scans for scan in runs),
        sessions_planned=run.planned,
        sessions=tuple(run.reports),
        latency=Latency.of(run.latencies),
        images_without_readouts=sum(r.images for r in run.reports) - len(run.latencies),
        differences=tuple(difference for c in run.comparisons.values() for difference in c.differences()),
        stress=await asyncio.to_thread(run.stress),
    )


class _Run:
    """All sessions of a replay, and what was learned from those that have ended."""

    def __init__(
        self, options: ReplayOptions, scans: list[tuple[ReplayScan, ...]], client: AsyncClient, tally: Tally
    ) -> None:
        self._options = options
        self._scans = scans
        self._client = client
        self._tally = tally
        self.reports: list[SessionReport] = []
        self.latencies: list[float] = []
        self.comparisons = {scan.source: ImageComparison(scan.source) for runs in scans for scan in runs}
        self._kept: dict[str, list[Message]] = {}
        self.planned = tally.sessions = options.loop * sum(
            len(scans[number % len(scans)]) for number in range(options.sessions)
        )

    async def all_sessions(self, stop: asyncio.Event) -> bool:
        """Run them; return whether they were stopped."""
        tasks = {
            asyncio.create_task(self._repeat(number), name=f"replay {number}")
            for number in range(self._options.sessions)
        }
        stopping = asyncio.create_task(stop.wait(), name="replay stop")
        everything = asyncio.gather(*tasks)
        ends: set[asyncio.Future[Any]] = {everything, stopping}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if everything.done():
                everything.result()
                return False
            return True
        finally:
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(everything, *tasks, stopping, return_exceptions=True)

    def stress(self) -> tuple[StressReport, ...]:
        """Compare each file's perturbed runs with its clean one, as they were in its first session."""
        return tuple(
            StressReport(
                file=clean.source,
                run=scan.run,
                perturbations=scan.perturbations,
                size=scan.size,
                series=changed_series(self._kept[clean.source], self._kept[scan.source], scan.size),
                warnings=new_warnings(self._kept[clean.source], self._kept[scan.source]),
            )
            for clean, *others in self._scans
            for scan in others
            if scan.source in self._kept
        )

    async def _repeat(self, number: int) -> None:
        for loop in range(self._options.loop):
            name = f"session {number + 1}" + (f" loop {loop + 1}" if self._options.loop > 1 else "")
            runs = self._scans[number % len(self._scans)]
            for scan in runs:
                first = len(runs) > 1 and number < len(self._scans) and loop == 0
                await self._one(ReplaySession(name, scan, self._tally, [] if first else None))

    async def _one(self, session: ReplaySession) -> None:
        try:
            await session.run(self._client)
        finally:
            source = session.scan.source
            self.reports.append(session.report())
            self.latencies += session.latencies
            self.comparisons[source].add(session.name, session.received, completed=session.outcome is Outcome.OK)
            if session.kept is not None:
                self._kept[source] = session.kept


def _about(scan: ReplayScan) -> FileReport:
    return FileReport(
        file=scan.source,
        readouts=scan.readouts,
        nbytes=scan.nbytes,
        chain=scan.chain,
        pace=FULL_SPEED if scan.pace is None else scan.pace.source,
    )
