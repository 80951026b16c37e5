"""Figure 8: the times that a user waits before anything happens."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Figure, milliseconds
from served import COMMAND, Served


def help_text(*, quick: bool) -> Figure:
    """``echotrain --help``, beside an interpreter that starts and does nothing."""
    ours, bare = [], []
    for _ in range(3 if quick else 11):
        bare.append(_seconds(sys.executable, "-c", "pass"))
        ours.append(_seconds(COMMAND, "--help"))
    return _figure("`echotrain --help`", statistics.median(ours), 0.4, milliseconds(ours), bare)


def ready(*, quick: bool) -> Figure:
    """From starting ``echotrain serve`` to its line ``ready``, with both protocols; torch must not be loaded."""
    ours, bare = [], []
    for _ in range(3 if quick else 11):
        bare.append(_seconds(sys.executable, "-c", "pass"))
        with Served() as engine:
            ours.append(engine.seconds_to_ready)
            if engine.has_loaded("libtorch"):
                raise RuntimeError("torch was loaded before any chain needed it")
    return _figure("`echotrain serve` ready, torch not loaded", statistics.median(ours), 1.5, milliseconds(ours), bare)


def demo(*, quick: bool) -> Figure:
    """What ``make demo`` runs once everything is installed."""
    ours, bare = [], []
    for _ in range(1 if quick else 3):
        bare.append(_seconds(sys.executable, "-c", "pass"))
        with tempfile.TemporaryDirectory(prefix="echotrain-bench-") as name:
            ours.append(_seconds(COMMAND, "demo", "--output", str(Path(name) / "demo")))
    seconds = statistics.median(ours)
    return _figure("`make demo` once installed", seconds, 30, f"{seconds:.1f} s", bare)


def _seconds(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    return time.perf_counter() - began


def _figure(what: str, seconds: float, reach: float, measured: str, bare: list[float]) -> Figure:
    return Figure(
        number="8",
        what=what,
        measured=measured,
        limit=f"bare interpreter {milliseconds(bare)}",
        ratio="-",
        reach=f"<= {reach:g} s",
        met=seconds <= reach,
    )
