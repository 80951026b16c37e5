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
from .async_client import AsyncClient
from .demo_montage import demo_montage
from .demo_series import best_estimate, compare, error_correlation, series_of, uncertainty
from .replay_latency import ImageKeys, LastSent
from .scan_file import Scan, read_scan
from .simulator import simulate
from .simulator_pacing import paced
from .simulator_protocol import ScanProtocol

Show = Callable[[str, float, float | None, str], None]
"""Called with (what, done, total, text) as the demonstration goes on."""

PROTOCOL = ScanProtocol(matrix=(128, 128), slices=2, mask="random", acceleration=4, calibration=16, snr=30.0)
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
        return rows


@dataclass(slots=True)
class _Watched:
    """What is seen while the scan goes through."""

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
                self.show("acquire", self.sent, self.total, f"{self.sent} readouts, {self.nbytes / 2**20:.0f} MiB")
            yield message

    def take(self, message: Message) -> None:
        """Note when an image comes, and how far those to come are."""
        if isinstance(message, Image):
            self.images.append(message)
            latency = self.last_sent.latency(message.header, time.perf_counter())
            if latency is not None:
                self.latencies.append(latency)
            count, series = len(self.images), {int(image.header["image_series_index"]) for image in self.images}
            self.show("images", count, max(self.expected * len(series), count), f"{count} images")
        elif isinstance(message, Progress):
            self.parts[message.gadget, message.text] = message.done / message.total
            text = f"{message.text}, step {message.done} of {message.total}"
            self.show("reconstruct", sum(self.parts.values()), max(self.expected, len(self.parts)), text)


async def run_demo(output: Path, scan_file: Path | None, chain: str, show: Show) -> DemoReport:
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

    Raises
    ------
    RemoteError
        The chain failed.
    ConfigurationError
        The scan cannot be read or the folder not be written, or the chain gave no image.
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
    scan = Scan(header=opened.header, messages=list(opened.messages), source=opened.source)
    engine = Engine()
    listener = ZmqListener(engine, "tcp://127.0.0.1:0")
    await listener.start()
    try:
        start = time.perf_counter()
        seen = await _stream(AsyncClient(listener.endpoint), scan, chain, tr_ms, show)
        seconds = time.perf_counter() - start
    finally:
        await listener.close()
    if not seen.images:
        raise ConfigurationError(f"chain {chain!r} gave no image for {scan.source}")
    series = series_of(seen.images)
    estimate, spread = best_estimate(series), uncertainty(series)
    compared = [compare(one, simulated) for one in series if not one.is_map] if simulated is not None else []
    best = next((one for one in compared if one.series is estimate), None)
    report = DemoReport(
        readouts=seen.sent,
        mebibytes=seen.nbytes / 2**20,
        seconds=seconds,
        images=len(seen.images),
        latency_ms=1000 * float(np.median(seen.latencies)) if seen.latencies else None,
        errors=tuple((one.series.name, one.nrmse) for one in compared),
        correlation=None if best is None or spread is None else error_correlation(best, spread),
        chain=chain,
        images_file=output / "images.h5",
        montage_file=output / "montage.png",
    )
    demo_montage(report.montage_file, series, best)
    _save(report, seen.images)
    return report


async def _stream(client: AsyncClient, scan: Scan, chain: str, tr_ms: float, show: Show) -> _Watched:
    blocks = [message for message in scan.messages if isinstance(message, Readouts)]
    if not blocks:
        raise ConfigurationError(f"{scan.source} holds no readouts")
    keys = ImageKeys(np.concatenate([block.headers for block in blocks]))
    seen = _Watched(LastSent(keys), keys.count, sum(map(len, blocks)), show)
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
