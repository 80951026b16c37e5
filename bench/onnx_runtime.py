"""Shipped supervised models by ONNX Runtime beside PyTorch's eager mode: a whole reconstruction, one slice, on the CPU.

Alone: ``python bench/onnx_runtime.py``. Exported blocks come from the user's cache, or go there first.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from figures import Figure, alternated, milliseconds, table

from echotrain.models.measurements import Measurements
from echotrain.models.model_store import shared_store
from echotrain.models.runtimes.loaded_model import LoadedModel
from echotrain.models.simulation.random_masks import uniform_lines

SHAPE, COILS, ACCELERATION, THREADS = (256, 216), 8, 8, 2
REACH = 0.7


def reconstruction(name: str, *, quick: bool) -> Figure:
    """One slice of 8 coils through one model, Fourier transforms and data consistency in torch both times."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        measurements = _measurements()
        store = shared_store()
        onnx, eager = (store.load(name, device="cpu", runtime=runtime) for runtime in ("onnx", "torch"))
        error = float((onnx(measurements) - eager(measurements)).abs().max() / eager(measurements).abs().max())
        if error > 1e-4:
            raise RuntimeError(f"{name}: the runtimes differ by {error:.1e} of the largest value")
        pairs = alternated(_timed(onnx, measurements), _timed(eager, measurements), 5 if quick else 21)
    finally:
        torch.set_num_threads(before)
    return Figure(
        number="11",
        what=f"`{eager.card.label}` by ONNX Runtime, {SHAPE[0]} x {SHAPE[1]}, {COILS} coils, {THREADS} threads",
        measured=milliseconds(pairs.ours),
        limit=f"torch eager {milliseconds(pairs.limits)}",
        ratio=pairs.spread,
        reach=f"<= {REACH}",
        met=pairs.ratio <= REACH,
    )


FIGURES: tuple[Callable[..., Figure], ...] = tuple(
    partial(reconstruction, name) for name in shared_store().names("supervised")
)


def _timed(model: LoadedModel, measurements: Measurements) -> Callable[[], float]:
    def seconds() -> float:
        began = time.perf_counter()
        model(measurements)
        return time.perf_counter() - began

    return seconds


def _measurements() -> Measurements:
    """Consistent k-space of a random image and random maps: what is computed does not depend on the values."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, COILS, *SHAPE, dtype=torch.complex64, generator=generator)
    maps /= maps.abs().square().sum(dim=1, keepdim=True).sqrt()
    lines = torch.from_numpy(uniform_lines(SHAPE[0], ACCELERATION, np.random.default_rng(0)))
    mask = lines[None, None, :, None]
    image = torch.randn(1, *SHAPE, dtype=torch.complex64, generator=generator)
    empty = Measurements(torch.zeros_like(maps), mask, maps)
    return Measurements(empty.operator()(image), mask, maps, noise=0.1)


if __name__ == "__main__":
    print(table([measure(quick="--quick" in sys.argv) for measure in FIGURES]))
