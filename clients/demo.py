"""The demonstration: a scan streamed over ZeroMQ on loopback to an engine in this process, and what came of it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..engine.engine import Engine
from ..engine.errors import ConfigurationError
from ..engine.image_file import ImageFile
from ..engine.messages import Image, Message, Readouts
from ..engine.transports.zmq_router import ZmqListener
from .async_client import AsyncClient
from .montage import montage
from .replay_latency import ImageKeys, LastSent
from .scan_file import Scan, read_scan
from .simulator import SimulatedScan, simulate
from .simulator_pacing import paced
from .simulator_protocol import ScanProtocol

Show = Callable[[str, int, int | None, str], None]
"""Called with (what, done, total, text) as the demonstration goes on."""

PROTOCOL = ScanProtocol(mask="random", acceleration=2, calibration=32, snr=30.0)
"""What the simulated scanner acquires, in its own time."""
MOST_TILES = 16
"""Images in the montage."""


@dataclass(frozen=True, kw_only=True)
class DemoReport:
    """What came of a demonstration."""

    readouts: int
    mebibytes: float
    seconds: float
    images: int
    latency_ms: float | None
    """Median from sending an image's last readout to having the image."""
    error: float | None
    """Normalised root mean square error against the phantom, all slices under one scale; None without a phantom."""
    chain: str
    images_file: Path
    montage_file: Path

    def rows(self) -> list[tuple[str, str]]:
        """Return the table's rows."""
        latency = "unknown" if self.latency_ms is None else f"{self.latency_ms:.1f} ms (median)"
        error = "no truth to compare with" if self.error is None else f"{100 * self.error:.1f} % (NRMSE)"
        return [
            ("chain", self.chain),
            ("readouts", str(self.readouts)),
            ("raw data", f"{self.mebibytes:.1f} MiB"),
            ("time", f"{self.seconds:.2f} s"),
            ("last readout to image", latency),
            ("images", str(self.images)),
            ("error against the phantom", error),
        ]


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
        """Note when an image comes."""
        if isinstance(message, Image):
            self.images.append(message)
            latency = self.last_sent.latency(message.header, time.perf_counter())
            if latency is not None:
                self.latencies.append(latency)
            count = len(self.images)
            self.show("images", count, max(self.expected, count), f"{count} images")


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
    report = DemoReport(
        readouts=seen.sent,
        mebibytes=seen.nbytes / 2**20,
        seconds=seconds,
        images=len(seen.images),
        latency_ms=1000 * float(np.median(seen.latencies)) if seen.latencies else None,
        error=None if simulated is None else phantom_error(simulated, seen.images),
        chain=chain,
        images_file=output / "images.h5",
        montage_file=output / "montage.png",
    )
    _save(report, seen.images, simulated)
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


def phantom_error(simulated: SimulatedScan, images: list[Image]) -> float:
    """Return the normalised root mean square error of images against the phantom, under one least-squares scale."""
    seen = seen_by_coils(simulated)
    found = np.stack([image.pixels[0, 0] for image in images]).astype(np.float64)
    reference = np.stack([seen[int(image.header["contrast"]), int(image.header["slice"])] for image in images])
    scale = np.vdot(found, reference) / np.vdot(found, found)
    return float(np.linalg.norm(scale * found - reference) / np.linalg.norm(reference))


def seen_by_coils(simulated: SimulatedScan) -> NDArray[np.float64]:
    """Return the phantom as the root sum of squares of prewhitened coil images has it.

    That is its magnitude times sqrt(s^H C^-1 s), s the sensitivities and C the noise covariance: (contrasts, slices,
    y, x).
    """
    truth = simulated.truth
    covariance = truth.noise_covariance if truth.noise_covariance.any() else np.eye(len(truth.noise_covariance))
    s = truth.sensitivities
    quadratic = np.einsum("scyx,cd,sdyx->syx", s.conj(), np.linalg.inv(covariance), s, optimize=True)
    return np.asarray(np.abs(truth.images) * np.sqrt(np.maximum(quadratic.real, 0)), np.float64)


def _save(report: DemoReport, images: list[Image], simulated: SimulatedScan | None) -> None:
    with ImageFile(report.images_file, overwrite=True) as file:
        for image in images:
            file.append(image)
    images = sorted(images, key=lambda image: int(image.header["slice"]))[:MOST_TILES]
    tiles = [np.abs(image.pixels[0, image.pixels.shape[1] // 2]) for image in images]
    names = [f"slice {int(image.header['slice'])}" for image in images]
    if simulated is not None:
        seen = seen_by_coils(simulated)
        tiles += [seen[int(image.header["contrast"]), int(image.header["slice"])] for image in images]
        names += [f"phantom {int(image.header['slice'])}" for image in images]
    montage(tiles, report.montage_file, labels=names, columns=len(images) if simulated is not None else None)
    text = json.dumps(dict(report.rows()), indent=2)
    report.images_file.with_name("report.json").write_text(text + "\n", encoding="utf-8")
