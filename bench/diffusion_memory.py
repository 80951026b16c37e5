"""Figure 15: the memory that several samples of one slice take, in a process that does nothing else.

Alone: ``python bench/diffusion_memory.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from diffusion import SAMPLES, THREADS, draw, loaded, threads, undersampled_head
from figures import Figure, table
from served import memory

from echotrain.models.measurements import Measurements

SIZE, COILS = 256, 16
REACH_MIB = 1536


def samples(*, quick: bool) -> Figure:  # noqa: ARG001  there is nothing to leave out
    """Peak resident memory of a fresh process that loads prior and k-space and draws the samples."""
    loaded("cpu")  # exports its network, where this was not done yet
    scan = undersampled_head(SIZE, COILS)
    with tempfile.TemporaryDirectory(prefix="echotrain-bench-") as folder:
        file = Path(folder) / "scan.pt"
        torch.save((scan.kspace, scan.mask, scan.maps, scan.noise), file)
        done = subprocess.run(
            [sys.executable, __file__, str(file)], check=True, capture_output=True, text=True, timeout=3600
        )
    idle, peak = json.loads(done.stdout)
    return Figure(
        number="15",
        what=f"peak memory, {SAMPLES} samples, {SIZE} x {SIZE}, {COILS} coils, CPU, {THREADS} threads",
        measured=f"{peak:.0f} MiB",
        limit=f"idle, libraries loaded {idle:.0f} MiB",
        ratio=f"{peak - idle:+.0f} MiB",
        reach=f"<= {REACH_MIB} MiB",
        met=peak <= REACH_MIB,
    )


def reconstruct(file: Path) -> tuple[float, float]:
    """Draw the samples of a stored scan: memory before the prior was loaded, and at its peak, in MiB."""
    kspace, mask, maps, noise = torch.load(file, weights_only=True)
    scan = Measurements(kspace, mask, maps, noise)
    with threads():
        idle = memory(os.getpid(), "VmRSS")
        draw(scan, loaded("cpu"), SAMPLES)
    return idle, memory(os.getpid(), "VmHWM")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(reconstruct(Path(sys.argv[1]))))
    else:
        print(table([samples(quick=False)]))
