"""Figures 1 and 2: bytes a second through MRD over TCP, beside a bare reader of a loopback connection."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from figures import Figure, alternated, rate
from mrd_sender import CLOSE, run_sender
from scans import bench_scan
from served import Served

from echotrain.engine.mrd_codec import encode_bytes

READOUT = 2 + 340 + 32 * 1024
"""Bytes of an MRD message."""
BLOCK = 128
"""Readouts of 32 KiB that are sent over and over."""


@contextmanager
def bare_reader(total: int) -> Iterator[int]:
    """Read ``total`` bytes in this process into a buffer of 1 MiB, answer with two, and be done; yields the port."""

    def read() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            buffer = bytearray(1024 * 1024)
            left = total
            while left:
                left -= connection.recv_into(buffer)
            connection.sendall(CLOSE)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=read)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def _written(folder: Path, total: int) -> float:
    """Write as much as will be recorded, twice, and delete it; bytes a second of the second time.

    A virtual machine gets memory that it has not touched lately slowly from its host; the first time is for that, or
    the growth of the page cache would be measured.
    """
    piece = bytes(31 * READOUT)  # as the recorder does: whole readouts, across the borders of pages
    for _ in range(2):
        began = time.perf_counter()
        with (folder / "written").open("wb", buffering=0) as file:
            for _ in range(total // len(piece) + 1):
                file.write(piece)
            seconds = time.perf_counter() - began
        (folder / "written").unlink()
    return total / seconds


def _forget_recording(folder: Path) -> None:
    """Wait until the recording is synced and closed, so that this disturbs nothing, then delete it."""
    (about,) = folder.glob("*.json")
    while json.loads(about.read_text(encoding="utf-8"))["outcome"] == "open":
        time.sleep(0.02)
    for path in folder.iterdir():
        path.unlink()


def null(*, quick: bool) -> Figure:
    """Figure 1: the chain ``null``."""
    return _streamed("1", "MRD/TCP, 32 KiB readouts, `null`", 0.50, quick=quick, record=False)


def recorded(*, quick: bool) -> Figure:
    """Figure 2: the same with recording."""
    return _streamed("2", "the same with recording", 0.35, quick=quick, record=True)


def _streamed(number: str, what: str, reach: float, *, quick: bool, record: bool) -> Figure:
    scan = bench_scan(1)
    start, data = scan.start("null"), encode_bytes(scan.lines[:BLOCK])
    repeats = (128 if quick else 512) * 2**20 * 4 // len(data)
    total = len(data) * repeats
    writes: list[float] = []
    with tempfile.TemporaryDirectory(prefix="echotrain-bench-") as name:
        folder = Path(name)
        (folder / "start").write_bytes(start)
        (folder / "data").write_bytes(data)

        def limit() -> float:
            with bare_reader(len(start) + total + len(CLOSE)) as port:
                return total / run_sender(port, folder / "start", folder / "data", repeats).seconds

        def ours() -> float:
            if record:
                writes.append(_written(folder, total))
            sent = run_sender(engine.mrd[1], folder / "start", folder / "data", repeats)
            if f"{BLOCK * repeats} readouts" not in sent.head:
                raise RuntimeError(f"the engine did not take {BLOCK * repeats} readouts:\n{engine.log}")
            if record:
                _forget_recording(folder / "recordings")
            return total / sent.seconds

        flags = ("--record", str(folder / "recordings")) if record else ()
        with Served(*flags) as engine:
            pairs = alternated(ours, limit, 3 if quick else 9)
    return Figure(
        number=number,
        what=what,
        measured=f"{rate(pairs.ours)}",
        limit=f"bare TCP reader {rate(pairs.limits)}" + (f" (bare write {rate(writes)})" if writes else ""),
        ratio=pairs.spread,
        reach=f">= {reach:.2f}",
        met=pairs.ratio >= reach,
    )
