"""CG-SENSE, total variation and L1 wavelets beside ``bart pics``: quality, time, and what a batch costs.

On the real brain, retrospectively undersampled, with the mask and the metric of tools/bart_reference.py beside the
shared data. Ours runs with its defaults and its own ESPIRiT maps, BART with maps by ``bart ecalib`` and, of the weights
that bart_reference.py tries, the one that is best at that R. Alone: ``python bench/classical.py [--quick]``.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from figures import Figure, alternated, milliseconds, table
from numpy.typing import NDArray

from echotrain.engine.allocator import keep_freed_memory
from echotrain.models.classical.cg_sense import CGSense
from echotrain.models.classical.total_variation import TotalVariation
from echotrain.models.classical.wavelet_l1 import WaveletL1
from echotrain.models.evaluation.case import maps_of
from echotrain.models.measurements import Measurements, Reconstructor
from echotrain.models.shared_data import shared_data

THREADS, BATCH = 2, 8
REACH_DECIBEL, REACH_TIME, REACH_BATCH = -0.2, 1.0, 6.0


@dataclass(frozen=True)
class Method:
    """A reconstruction of ours and the calls of ``bart pics`` that do the same."""

    name: str
    ours: Reconstructor
    bart: tuple[tuple[str, ...], ...]
    """The first one is timed: all take as many iterations as ours."""


METHODS = (
    Method("CG-SENSE", CGSense(iterations=30), (("-l2", "-r", "0.001", "-i", "30"),)),
    Method(
        "TV",
        TotalVariation(iterations=60),
        tuple(("-R", f"T:3:0:{weight}", "-i", "60") for weight in ("0.002", "0.005", "0.01")),
    ),
    Method(
        "L1-wavelet",
        WaveletL1(iterations=60),
        tuple(("-R", f"W:3:0:{weight}", "-i", "60") for weight in ("0.004", "0.01", "0.02")),
    ),
)


def quality(method: Method, acceleration: int, *, quick: bool) -> Figure:  # noqa: ARG001  one run says it
    """PSNR of one method on the real brain, beside BART's."""
    scan = brain(acceleration)
    with threads():
        ours = scan.psnr(method.ours(scan.measurements)[0].numpy())
    with scan.bart_files() as folder:
        found = {options: _bart_image(folder, options) for options in method.bart}
    best, theirs = max(((options, scan.psnr(image)) for options, image in found.items()), key=lambda pair: pair[1])
    return Figure(
        number="9",
        what=f"{method.name}, real brain, R = {acceleration}: PSNR",
        measured=f"{ours:.2f} dB",
        limit=f"bart pics -S {' '.join(best)}: {theirs:.2f} dB",
        ratio=f"{ours - theirs:+.2f} dB",
        reach=f">= {REACH_DECIBEL} dB",
        met=ours - theirs >= REACH_DECIBEL,
    )


def duration(method: Method, *, quick: bool) -> Figure:
    """Time of one slice with maps at hand, beside BART's whole process less its start."""
    scan = brain(4)
    with threads(), scan.bart_files() as folder:
        pairs = alternated(
            lambda: _seconds(method.ours, scan.measurements),
            lambda: _bart_seconds(folder, method.bart[0]),
            3 if quick else 15,
        )
    return Figure(
        number="9",
        what=f"{method.name}, one slice, 7 coils, 256 x 216, {THREADS} threads",
        measured=milliseconds(pairs.ours),
        limit=f"bart pics {' '.join(method.bart[0])}, {THREADS} threads {milliseconds(pairs.limits)}",
        ratio=pairs.spread,
        reach=f"<= {REACH_TIME:.1f}",
        met=pairs.ratio <= REACH_TIME,
    )


def batch(method: Method, *, quick: bool) -> Figure:
    """Time of a batch of slices in one call, beside one slice."""
    one = brain(4).measurements
    many = Measurements(*(part.repeat(BATCH, 1, 1, 1) for part in (one.kspace, one.mask, one.maps)))
    with threads():
        pairs = alternated(lambda: _seconds(method.ours, many), lambda: _seconds(method.ours, one), 3 if quick else 15)
    return Figure(
        number="9",
        what=f"{method.name}, batch of {BATCH} slices, {THREADS} threads",
        measured=milliseconds(pairs.ours),
        limit=f"one slice {milliseconds(pairs.limits)}",
        ratio=pairs.spread,
        reach=f"<= {REACH_BATCH:.1f}",
        met=pairs.ratio <= REACH_BATCH,
    )


FIGURES: tuple[Callable[..., Figure], ...] = (
    *(partial(quality, method, acceleration) for acceleration in (4, 8) for method in METHODS),
    *(partial(duration, method) for method in METHODS),
    *(partial(batch, method) for method in METHODS),
)


@dataclass(frozen=True, eq=False)
class Brain:
    """The real brain, undersampled."""

    kspace: NDArray[np.complex64]
    """(coils, ky, kx), zero where not sampled."""
    reference: NDArray[np.complex64]
    """(y, x): the coil images of all of k-space, combined by maps of ``bart ecalib``."""
    measurements: Measurements
    calibration_lines: int

    def psnr(self, image: NDArray[np.complex64]) -> float:
        """By the reference's metric, in dB."""
        return float(bart_reference().metrics(image, self.reference)[1])

    @contextmanager
    def bart_files(self) -> Iterator[str]:
        """K-space and maps by ``bart ecalib`` in a folder of their own."""
        with tempfile.TemporaryDirectory(prefix="echotrain-bench-") as folder:
            _write(folder, "kspace", self.kspace)
            _bart(folder, "ecalib", "-m1", "-r", str(self.calibration_lines), "kspace", "maps")
            yield folder


@cache
def brain(acceleration: int) -> Brain:
    """Undersample it as bart_reference.py does."""
    reference = bart_reference()
    full = reference.load(str(shared_data() / "raw" / "brain_t1_7ch.h5"))
    lines = reference.mask(full.shape[1], acceleration)
    kspace = full * lines[:, None]
    with tempfile.TemporaryDirectory(prefix="echotrain-bench-") as folder:
        _write(folder, "kspace", full)
        _bart(folder, "ecalib", "-m1", "kspace", "maps")
        maps = torch.from_numpy(_read(folder, "maps"))[None]
    everything = torch.ones(1, 1, len(lines), 1, dtype=torch.bool)
    combined = Measurements(torch.from_numpy(full)[None], everything, maps).zero_filled()[0].numpy()
    data, mask = torch.from_numpy(kspace)[None], torch.from_numpy(lines)[None, None, :, None]
    return Brain(kspace, combined, Measurements(data, mask, maps_of(data, mask)), min(24, int(lines.sum())))


@cache
def bart_reference() -> ModuleType:
    """Load the tool that defines mask, metric and BART's calls."""
    file = shared_data().parent / "tools" / "bart_reference.py"
    spec = importlib.util.spec_from_file_location("bart_reference", file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{file} is missing; it belongs beside the shared data")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def threads() -> Iterator[None]:
    """Threads for torch, and the engine's way with freed memory."""
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seconds(reconstruct: Reconstructor, measurements: Measurements) -> float:
    began = time.perf_counter()
    reconstruct(measurements)
    return time.perf_counter() - began


def _bart_seconds(folder: str, options: tuple[str, ...]) -> float:
    start = _bart(folder, "version")
    return _bart(folder, "pics", "-S", *options, "kspace", "maps", "image") - start


def _bart_image(folder: str, options: tuple[str, ...]) -> NDArray[np.complex64]:
    _bart(folder, "pics", "-S", *options, "kspace", "maps", "image")
    return _read(folder, "image")


def _bart(folder: str, *arguments: str) -> float:
    """Run BART and return seconds."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
    began = time.perf_counter()
    subprocess.run(["bart", *arguments], cwd=folder, env=environment, check=True, capture_output=True, timeout=300)
    return time.perf_counter() - began


def _write(folder: str, name: str, kspace: NDArray[np.complex64]) -> None:
    """(coils, ky, kx) as BART has it: kx, ky, kz, coils."""
    bart_reference().wcfl(str(Path(folder) / name), kspace.transpose(2, 1, 0)[:, :, np.newaxis])


def _read(folder: str, name: str) -> NDArray[np.complex64]:
    return np.ascontiguousarray(bart_reference().rcfl(str(Path(folder) / name)).T)


if __name__ == "__main__":
    print(table([figure(quick="--quick" in sys.argv) for figure in FIGURES]))
