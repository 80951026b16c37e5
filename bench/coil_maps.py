"""Coil maps by ESPIRiT beside ``bart ecalib``: one slice of 7 coils and 256 x 216 pixels, 24 x 24 calibration points.

Alone: ``python bench/coil_maps.py``.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from figures import Figure, alternated, milliseconds, table
from numpy.typing import NDArray

from echotrain.models.coils.calibration import calibration_kspace
from echotrain.models.coils.espirit import espirit_maps
from echotrain.models.simulation.phantom_grid import slice_points
from echotrain.models.simulation.simulated_acquisition import coil_kspace
from echotrain.models.simulation.simulated_coils import coil_array, sensitivities

SHAPE, COILS, THREADS = (256, 216), 7, 2
REACH_SECONDS, REACH_RATIO = 0.25, 1.0


def espirit(*, quick: bool) -> Figure:
    """Maps of one slice; BART's whole process less its start (``bart version``), where it is installed."""
    kspace = _kspace()
    whole, mask = torch.from_numpy(kspace)[None], torch.ones(1, 1, SHAPE[0], 1, dtype=torch.bool)

    def ours() -> float:
        began = time.perf_counter()
        espirit_maps(calibration_kspace(whole, mask), SHAPE)
        return time.perf_counter() - began

    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        if shutil.which("bart") is None:
            seconds = [ours() for _ in range(4)][1:]
            limit, ratio, reach = "BART is not installed", "-", f"<= {REACH_SECONDS} s"
            met = statistics.median(seconds) <= REACH_SECONDS
        else:
            with tempfile.TemporaryDirectory(prefix="echotrain-bench-") as name:
                _write(Path(name) / "k", kspace)
                pairs = alternated(ours, lambda: _bart(name), 3 if quick else 11)
            seconds, limit = pairs.ours, f"bart ecalib -m1 -r24 {milliseconds(pairs.limits)}"
            ratio, reach, met = pairs.spread, f"<= {REACH_RATIO}", pairs.ratio <= REACH_RATIO
    finally:
        torch.set_num_threads(before)
    what = f"ESPIRiT maps, {SHAPE[0]} x {SHAPE[1]}, {COILS} coils, {THREADS} threads"
    return Figure(
        number="10", what=what, measured=milliseconds(seconds), limit=limit, ratio=ratio, reach=reach, met=met
    )


def _kspace() -> NDArray[np.complex64]:
    """Noisy k-space (coils, ky, kx) of a disc with texture."""
    rng = np.random.default_rng(0)
    x, y, z = slice_points(SHAPE)
    disc = (x**2 + y**2 < 0.6) * (1 + 0.3 * np.sin(40 * x) * np.cos(30 * y))
    kspace = coil_kspace(disc.astype(complex), sensitivities(coil_array(COILS, rng), (x, y, z)), SHAPE[1])
    noise = rng.standard_normal((*kspace.shape, 2)) @ [1, 1j]
    return (kspace + 0.01 * noise).astype(np.complex64)


def _write(path: Path, kspace: NDArray[np.complex64]) -> None:
    turned = kspace.transpose(2, 1, 0)[:, :, np.newaxis]
    path.with_suffix(".hdr").write_text("# Dimensions\n" + " ".join(map(str, turned.shape)) + "\n")
    turned.ravel(order="F").tofile(path.with_suffix(".cfl"))


def _bart(folder: str) -> float:
    start = _seconds(folder, "version")
    return _seconds(folder, "ecalib", "-m1", "-r24", "k", "m") - start


def _seconds(folder: str, *arguments: str) -> float:
    began = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
    subprocess.run(["bart", *arguments], cwd=folder, env=environment, check=True, capture_output=True, timeout=120)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(table([espirit(quick=False)]))
