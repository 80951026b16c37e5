"""The demonstration: a scan streamed over ZeroMQ on loopback to an engine in this process, and what came of it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..engine.engine import Engine
from ..engine.errors import ConfigurationError
from ..engine.image_file import ImageFile
from ..engine.messages import Image, Message, Progress, Readouts
from ..engine.transports.zmq_router import ZmqListener
from ..models.perturbation.specification import Perturbation
from .async_client import AsyncClient
from .demo_montage import demo_montage
from .demo_series import Run, best_estimate, compare, error_correlation, flags_told, series_of, uncertainty
from .perturbed_scan import perturbed_scan
from .replay_latency import ImageKeys, LastSent
from .scan_file import Scan, read_scan
from .simulator import SimulatedScan, simulate
from .simulator_pacing import paced
from .simulator_protocol import ScanProtocol

Show = Callable[[str, float, float | None, str], None]
"""Called with (what, done, total, text) as the demonstration goes on."""

PROTOCOL = ScanProtocol(matrix=(176, 176), slices=1, mask="random", acceleration=4, calibration=20, snr=30.0)
"""What the simulated scanner acquires, in its own time: as much as samples can be drawn of while somebody waits."""

_SECOND_MS = 1000


@dataclass(frozen=True, kw_only=True)
class DemoReport:
    """What came of a demonstration."""

    readouts: int
    mebibytes: float
    seconds: float
    images: int
    latency_ms: float | None
    """Median from sending an image's last readout to having the image."""
    errors: tuple[tuple[str, float], ...]
    """Normalised root mean square error of each series against the phantom, by name; nothing without a phantom."""
    correlation: float | None
    """Spearman's, of errors with the chain's uncertainty, over the head; None without the one or the other."""
    flags: tuple[tuple[str, str], ...]
    """What the images say of flags and why, by scan; nothing where the chain has no flags."""
    chain: str
    images_file: Path
    montage_file: Path

    def rows(self) -> list[tuple[str, str]]:
        """Return the table's rows."""
        latency = "unknown"
        if self.latency_ms is not None:
            slow = self.latency_ms >= _SECOND_MS
            latency = f"{self.latency_ms / _SECOND_MS:.1f} s" if slow else f"{self.latency_ms:.1f} ms"
            latency += " (median)"
        rows = [
            ("chain", self.chain),
            ("readouts", str(self.readouts)),
            ("raw data", f"{self.mebibytes:.1f} MiB"),
            ("time", f"{self.seconds:.2f} s"),
            ("last readout to image", latency),
            ("images", str(self.images)),
        ]
        rows += [(f"error of {name}", f"{100 * error:.1f} % (NRMSE)") for name, error in self.errors]
        if self.correlation is not None:
            rows.append(("error and uncertainty", f"{self.correlation:.2f} (rank correlation over the head)"))
        return [*rows, *self.flags]


@dataclass(slots=True)
class _Watched:
    """What is seen while a scan goes through."""

    name: str
    """Of the scan, of several; else empty."""
    last_sent: LastSent
    expected: int
    total: int
    show: Show
    sent: int = 0
    nbytes: int = 0
    images: list[Image] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    parts: dict[tuple[str, str], float] = field(default_factory=dict)
    """What reports its progress (gadget, text), and the fraction that is done of it."""

    async def acquire(self, messages: AsyncIterator[Message]) -> AsyncIterator[Message]:
        """Hand the scan on, noting when each readout leaves."""
        async for message in messages:
            if isinstance(message, Readouts):
                self.last_sent.mark(self.sent, self.sent + len(message), time.perf_counter())
                self.sent += len(message)
                self.nbytes += message.nbytes
                self._tell("acquire", self.sent, self.total, f"{self.sent} readouts, {self.nbytes / 2**20:.0f} MiB")
            yield message

    def _tell(self, what: str, done: float, total: float | None, text: str) -> None:
        self.show(f"{what}, {self.name}" if self.name else what, done, total, text)

    def take(self, message: Message) -> None:
        """Note when an image comes, and how far those to come are."""
        if isinstance(message, Image):
            self.images.append(message)
            latency = self.last_sent.latency(message.header, time.perf_counter())
            if latency is not None:
                self.latencies.append(latency)
            count, series = len(self.images), {int(image.header["image_series_index"]) for image in self.images}
            self._tell("images", count, max(self.expected * len(series), count), f"{count} images")
        elif isinstance(message, Progress):
            self.parts[message.gadget, message.text] = message.done / message.total
            text = f"{message.text}, step {message.done} of {message.total}"
            self._tell("reconstruct", sum(self.parts.values()), max(self.expected, len(self.parts)), text)


async def run_demo(
    output: Path, scan_file: Path | None, chain: str, show: Show, perturbation: Perturbation | None = None
) -> DemoReport:
    """Run the demonstration.

    Parameters
    ----------
    output
        Folder for images.h5, montage.png, truth.h5 and report.json.
    scan_file
        An MRD file, or None for the simulated scanner.
    chain
        Name of an installed chain.
    show
        Told how far it has come.
    perturbation
        What is done to the scan to send it once more.

    Raises
    ------
    RemoteError
        The chain failed.
    ConfigurationError
        The scan cannot be read or perturbed or the folder not be written, or the chain gave no image.
    """
    output.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 nothing else runs yet
    simulated, tr_ms = None, 0.0
    if scan_file is None:
        show("acquire", 0, None, "simulating")
        simulated = simulate(PROTOCOL)
        simulated.truth.save(output / "truth.h5")
        opened, tr_ms = simulated.scan(), simulated.readout_ms
    else:
        (output / "truth.h5").unlink(missing_ok=True)  # an earlier demonstration's, of another scan
        opened = read_scan(scan_file)
    scans = {"": Scan(header=opened.header, messages=list(opened.messages), source=opened.source)}
    if perturbation is not None:
        show("perturb", 0, None, perturbation.label)
        scans = {"clean": scans[""], perturbation.kind.replace("_", " "): perturbed_scan(scans[""], [perturbation])}
        show("perturb", 1, 1, perturbation.label)
    engine = Engine()
    listener = ZmqListener(engine, "tcp://127.0.0.1:0")
    await listener.start()
    try:
        start = time.perf_counter()
        client = AsyncClient(listener.endpoint)
        seen = [await _stream(client, scan, name, chain, tr_ms, show) for name, scan in scans.items()]
        seconds = time.perf_counter() - start
    finally:
        await listener.close()
    if not all(one.images for one in seen):
        raise ConfigurationError(f"chain {chain!r} gave no image for {opened.source}")
    compared = [_compared(one, simulated) for one in seen]
    first = compared[0]
    spread = uncertainty(first.run.series)
    report = DemoReport(
        readouts=sum(one.sent for one in seen),
        mebibytes=sum(one.nbytes for one in seen) / 2**20,
        seconds=seconds,
        images=sum(len(one.images) for one in seen),
        latency_ms=1000 * float(np.median(latencies))
        if (latencies := [x for one in seen for x in one.latencies])
        else None,
        errors=tuple(error for one in compared for error in one.errors),
        correlation=None if first.run.best is None or spread is None else error_correlation(first.run.best, spread),
        flags=tuple(flags for one in seen for flags in flags_told(one.name, one.images)),
        chain=chain,
        images_file=output / "images.h5",
        montage_file=output / "montage.png",
    )
    demo_montage(report.montage_file, [one.run for one in compared])
    _save(report, [image for one in seen for image in one.images])
    return report


@dataclass(frozen=True)
class _Compared:
    """What came of a scan, and how far it is from the phantom."""

    run: Run
    errors: list[tuple[str, float]]


def _compared(seen: _Watched, simulated: SimulatedScan | None) -> _Compared:
    series = series_of(seen.images)
    estimate = best_estimate(series)
    compared = [compare(one, simulated) for one in series if not one.is_map] if simulated is not None else []
    best = next((one for one in compared if one.series is estimate), None)
    end = f", {seen.name}" if seen.name else ""
    return _Compared(Run(seen.name, series, best), [(one.series.name + end, one.nrmse) for one in compared])


async def _stream(client: AsyncClient, scan: Scan, name: str, chain: str, tr_ms: float, show: Show) -> _Watched:
    blocks = [message for message in scan.messages if isinstance(message, Readouts)]
    if not blocks:
        raise ConfigurationError(f"{scan.source} holds no readouts")
    keys = ImageKeys(np.concatenate([block.headers for block in blocks]))
    seen = _Watched(name, LastSent(keys), keys.count, sum(map(len, blocks)), show)
    speed = 1.0 if tr_ms else math.inf
    async with await client.session(scan.header, chain) as session:
        async for message in session.exchange(seen.acquire(paced(scan.messages, tr_ms=tr_ms or 1.0, speed=speed))):
            seen.take(message)
    return seen


def _save(report: DemoReport, images: list[Image]) -> None:
    with ImageFile(report.images_file, overwrite=True) as file:
        for image in images:
            file.append(image)
    text = json.dumps(dict(report.rows()), indent=2)
    report.images_file.with_name("report.json").write_text(text + "\n", encoding="utf-8")
