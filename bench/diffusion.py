"""Figures 13, 14 and 18: samples of a diffusion prior, beside the network's calls and one another, and the default.

Alone: ``python bench/diffusion.py [--quick]``. On a machine with a GPU several samples are timed there as well.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial

import numpy as np
import torch
from figures import Figure, alternated, milliseconds, table

from echotrain.clients.evaluation_methods import find_methods, shipped_ensemble
from echotrain.clients.sampler_text import parse_sampler
from echotrain.engine.allocator import keep_freed_memory
from echotrain.models.defaults import DEFAULT_SUPERVISED
from echotrain.models.evaluation.simulated_cases import simulated_cases
from echotrain.models.measurements import Measurements
from echotrain.models.model_store import shared_store
from echotrain.models.runtimes.loaded_prior import LoadedPrior
from echotrain.models.samplers.diffusion_reconstruction import sample
from echotrain.models.samplers.sampler import Sampler
from echotrain.models.simulation.brain_phantom import Head, tissue_signals
from echotrain.models.simulation.phantom_grid import slice_points

PRIOR = "brain-edm"
FASTEST = "dds:eta=1.0,hot=true,sigma_max=0.4"
"""The sampler with the least beside its network, in 20 evaluations."""
SIZE, COILS, ACCELERATION, SAMPLES, THREADS = 192, 8, 8.0, 8, 2
REACH_NETWORK, REACH_CPU, REACH_GPU = 1.25, 7.5, 2.0
REACH_SECONDS = 8.0


def overhead(*, quick: bool) -> Figure:
    """Figure 13: one sample of one slice with maps at hand, beside as many calls of the network."""
    measurements, prior, sampler = undersampled_head(SIZE, COILS), loaded("cpu"), fastest()
    noisy, sigma = torch.randn(1, SIZE, SIZE, dtype=torch.complex64), torch.tensor(0.1)

    def network() -> None:
        with torch.no_grad():
            for _ in range(sampler.evaluations):
                prior.denoise(noisy, sigma)

    with threads():
        pairs = alternated(
            partial(seconds, lambda: draw(measurements, prior, 1)), partial(seconds, network), 3 if quick else 15
        )
    return Figure(
        number="13",
        what=f"one sample, {_scan()}, CPU, {THREADS} threads",
        measured=milliseconds(pairs.ours),
        limit=f"{sampler.evaluations} calls of the network {milliseconds(pairs.limits)}",
        ratio=pairs.spread,
        reach=f"<= {REACH_NETWORK}",
        met=pairs.ratio <= REACH_NETWORK,
    )


def samples(device: str, *, quick: bool) -> Figure:
    """Figure 14: several samples of one slice together, beside one."""
    prior = loaded(device)
    measurements = undersampled_head(SIZE, COILS).to(prior.device)
    with threads():
        pairs = alternated(
            partial(seconds, lambda: draw(measurements, prior, SAMPLES)),
            partial(seconds, lambda: draw(measurements, prior, 1)),
            2 if quick else 9,
        )
    reach = REACH_CPU if device == "cpu" else REACH_GPU
    where = f"CPU, {THREADS} threads" if device == "cpu" else torch.cuda.get_device_name()
    return Figure(
        number="14",
        what=f"{SAMPLES} samples, {_scan()}, {where}",
        measured=milliseconds(pairs.ours),
        limit=f"one sample {milliseconds(pairs.limits)}",
        ratio=pairs.spread,
        reach=f"<= {reach}",
        met=pairs.ratio <= reach,
    )


def default_ensemble(*, quick: bool) -> Figure:
    """Figure 18: what the chain ``diffusion-ensemble`` samples, from k-space with maps at hand to the mean."""
    measurements, (method,) = undersampled_head(SIZE, COILS), find_methods(["diffusion"], shared_store(), "cpu")
    shipped = shipped_ensemble()
    start = shared_store().load(shipped.start_from or DEFAULT_SUPERVISED, device="cpu")
    with threads():
        pairs = alternated(
            partial(seconds, lambda: method.reconstruct(measurements)),
            partial(seconds, lambda: start(measurements)),
            2 if quick else 9,
        )
    took = statistics.median(pairs.ours)
    return Figure(
        number="18",
        what=f"default ensemble of {shipped.samples}, {_scan()}, CPU, {THREADS} threads",
        measured=f"{took:.1f} s",
        limit=f"{start.card.name} alone {milliseconds(pairs.limits)}",
        ratio=pairs.spread,
        reach=f"<= {REACH_SECONDS:g} s",
        met=took <= REACH_SECONDS,
    )


SEVERAL: tuple[Callable[..., Figure], ...] = tuple(
    partial(samples, device) for device in ("cpu", *["cuda"] * torch.cuda.is_available())
)


def loaded(device: str) -> LoadedPrior:
    """Return the prior as chains have it, by ONNX Runtime with THREADS threads."""
    return shared_store().load_prior(PRIOR, device=device, threads=THREADS)


def fastest() -> Sampler:
    """Return the sampler of FASTEST."""
    return parse_sampler(FASTEST).sampler


def draw(measurements: Measurements, prior: LoadedPrior, number: int) -> torch.Tensor:
    """Reconstruct one slice: (samples, y, x) complex64 on the CPU, so that a GPU has finished."""
    return sample(measurements, prior, fastest(), seeds=range(number)).images.cpu()


@cache
def undersampled_head(size: int, coils: int) -> Measurements:
    """Simulate one slice of a head at R = ACCELERATION, with ESPIRiT maps; no shared data are needed."""
    head = Head.draw(np.random.default_rng(0))
    image = head.image(slice_points((size, size)), tissue_signals("t1"), 2 / size)
    pixels = (255 * (image / image.max()).clip(0, 1)).astype(np.uint8)
    return next(simulated_cases(pixels[np.newaxis], ACCELERATION, coils=coils)).measurements


def seconds(compute: Callable[[], object]) -> float:
    """Return how long it takes."""
    began = time.perf_counter()
    compute()
    return time.perf_counter() - began


@contextmanager
def threads() -> Iterator[None]:
    """THREADS threads for torch, and the engine's way with freed memory."""
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _scan() -> str:
    return f"{SIZE} x {SIZE}, {COILS} coils, R = {ACCELERATION:g}"


if __name__ == "__main__":
    print(table([figure(quick="--quick" in sys.argv) for figure in (overhead, *SEVERAL, default_ensemble)]))
