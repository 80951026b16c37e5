"""Figure 6: the memory that a long scan takes while it is recorded."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from figures import Figure
from mrd_sender import run_sender
from scans import bench_scan
from served import MIB, Served

from echotrain.engine.mrd_codec import encode_bytes

REACH_MIB = 256
_GIB = 2**30


def recording(*, quick: bool) -> Figure:
    """Stream 4 GiB (1 GiB if quick) through the chain ``record``; peak resident memory above idle."""
    scan = bench_scan(1)
    data = encode_bytes(scan.lines[:128])
    repeats = (1 if quick else 4) * _GIB // len(data) + 1
    with tempfile.TemporaryDirectory(prefix="echotrain-bench-") as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 2 * repeats * len(data):
            raise RuntimeError(f"{folder} has too little room for a recording of {repeats * len(data) / _GIB:.1f} GiB")
        (folder / "start").write_bytes(scan.start("record"))
        (folder / "data").write_bytes(data)
        with Served("--record", str(folder / "recordings")) as engine:
            idle = engine.memory("VmRSS")
            run_sender(engine.mrd[1], folder / "start", folder / "data", repeats)
            peak = engine.memory("VmHWM")
            log = engine.log
        (stream,) = (folder / "recordings").glob("*.mrd")
        recorded = stream.stat().st_size
    if recorded < repeats * len(data):
        raise RuntimeError(f"{recorded / MIB:.0f} MiB were recorded, expected {repeats * len(data) / MIB:.0f}:\n{log}")
    above = peak - idle
    return Figure(
        number="6",
        what=f"peak memory while {recorded / _GIB:.1f} GiB stream through `record`, above idle",
        measured=f"{above:.0f} MiB",
        limit=f"idle {idle:.0f} MiB",
        ratio="-",
        reach=f"<= {REACH_MIB} MiB",
        met=above <= REACH_MIB,
    )
