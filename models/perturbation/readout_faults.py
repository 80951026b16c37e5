"""What goes wrong while a readout is sampled: spikes, interference, an early end, silent coils, saturation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .counter_random import key_of, uniform
from .readout_block import ReadoutBlock
from .readout_kinds import Clipping, CoilDropout, Interference, Spikes, Truncated

_ONCE = np.zeros(1, np.int64)
"""Row of the numbers that are drawn once for a scan."""


def spiked(block: ReadoutBlock, spikes: Spikes, seed: int) -> NDArray[np.complex64]:
    """Add one sample of equal size in every coil to some readouts; (N, coils, samples), a new array."""
    samples = np.array(block.samples, np.complex64)
    _, coils, length = samples.shape
    drawn = uniform(key_of(seed, "spikes"), block.numbers, 2 + coils)
    hit = np.flatnonzero(drawn[:, 0] < spikes.share)
    where = (drawn[hit, 1] * length).astype(np.intp)
    size = block.sizes(spikes.size, spikes.unit)[hit, None]
    samples[hit, :, where] += (size * np.exp(2j * np.pi * drawn[hit, 2:])).astype(np.complex64)
    return samples


def interfered(block: ReadoutBlock, tone: Interference, seed: int) -> NDArray[np.complex64]:
    """Add a tone, received by each coil in its own way; (N, coils, samples), a new array.

    It has the sign that puts it at ``frequency`` of the field of view from its middle, as signal from there has.
    """
    count, coils, length = block.samples.shape
    reception = uniform(key_of(seed, "interference of coils"), _ONCE, 2 * coils)[0]
    received = reception[:coils] / reception[:coils].max() * np.exp(2j * np.pi * reception[coils:])
    began = np.zeros(count)
    if tone.phase == "random":
        began = uniform(key_of(seed, "interference"), block.numbers)[:, 0]
    amplitude = block.sizes(tone.size, tone.unit) * np.exp(2j * np.pi * began)
    wave = np.exp(-2j * np.pi * tone.frequency * np.arange(length))
    added = (amplitude[:, None] * received)[:, :, None].astype(np.complex64) * wave.astype(np.complex64)
    return block.samples + added


def truncated(block: ReadoutBlock, end: Truncated, seed: int) -> NDArray[np.complex64]:
    """Set the last samples of some readouts to zero; (N, coils, samples), a new array."""
    samples = np.array(block.samples, np.complex64)
    hit = uniform(key_of(seed, "truncated"), block.numbers)[:, 0] < end.share
    samples[hit, :, math.ceil(end.kept * samples.shape[2]) :] = 0
    return samples


def silenced(block: ReadoutBlock, dropout: CoilDropout, seed: int) -> NDArray[np.complex64]:
    """Set coils to zero; (N, coils, samples), a new array.

    Raises
    ------
    ValueError
        There are not as many coils.
    """
    samples = np.array(block.samples, np.complex64)
    coils = samples.shape[1]
    silent = dropout.coils
    if silent is None:
        if dropout.number > coils:
            raise ValueError(f"{dropout.number} coils are to go silent, the readouts have {coils}")
        drawn = np.argsort(uniform(key_of(seed, "coil_dropout"), _ONCE, coils)[0])
        silent = tuple(drawn[: dropout.number].tolist())
    if max(silent, default=0) >= coils:
        raise ValueError(f"coil {max(silent)} is to go silent, the readouts have coils 0 to {coils - 1}")
    hit = np.flatnonzero(block.numbers >= dropout.begin)
    samples[np.ix_(hit, np.array(silent, np.intp))] = 0
    return samples


def clipped(block: ReadoutBlock, limit: Clipping, seed: int) -> NDArray[np.complex64]:  # noqa: ARG001  # as the others
    """Cut real and imaginary parts off at a size; (N, coils, samples), a new array."""
    parts = np.array(block.samples, np.complex64).view(np.float32)
    sizes = block.sizes(limit.size, limit.unit).astype(np.float32)[:, None, None]
    return np.clip(parts, -sizes, sizes, out=parts).view(np.complex64)
