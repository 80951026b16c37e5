"""What changes from readout to readout: gain, phase, the patient's position, and the odd and even lines of an EPI."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .counter_random import key_of, normal, uniform
from .readout_block import ReadoutBlock
from .readout_kinds import GainDrift, Ghost, Motion, PhaseDrift


def gain_drifted(block: ReadoutBlock, drift: GainDrift, seed: int) -> NDArray[np.complex64]:
    """Multiply readout n by (1 + change)^(n / period); (N, coils, samples), a new array."""
    exponent = np.log1p(drift.change) * (block.numbers / drift.period)[:, None]
    if drift.coils == "independent":
        coils = block.samples.shape[1]
        exponent = exponent * (2 * uniform(key_of(seed, "gain_drift"), np.zeros(1, np.int64), coils) - 1)
    return block.samples * np.exp(exponent)[:, :, None].astype(np.float32)


def phase_drifted(block: ReadoutBlock, drift: PhaseDrift, seed: int) -> NDArray[np.complex64]:
    """Turn the phase of readout n by change n / period and its jitter; (N, coils, samples), a new array."""
    angle = drift.change * (block.numbers / drift.period)
    if drift.jitter > 0:
        angle = angle + drift.jitter * normal(key_of(seed, "phase_drift"), block.numbers)[:, 0]
    return block.samples * np.exp(1j * angle)[:, None, None].astype(np.complex64)


def moved(block: ReadoutBlock, motion: Motion, seed: int) -> NDArray[np.complex64]:
    """Shift what is imaged by exp(-2 pi i k . d), the Fourier shift theorem; (N, coils, samples), a new array.

    Raises
    ------
    ValueError
        The readouts are on no grid, or the field of view is not known.
    """
    steps, columns = block.on_grid()
    if min(block.extent) <= 0:
        raise ValueError("the header gives no field of view, so that nothing can be moved by mm")
    shot = block.numbers // motion.every
    if motion.positions is None:
        places = np.where(shot[:, None] > 0, motion.distance * normal(key_of(seed, "motion"), shot, 3), 0.0)
        if not steps[:, 1].any():
            places[:, 2] = 0  # 2-D: it would be a phase that nothing images
    else:
        given = np.array(motion.positions, np.float64).reshape(-1, 3)
        places = given[np.minimum(shot, len(given) - 1)]
    turns = places / np.array(block.extent)
    length, ends = block.samples.shape[2], columns.tolist()
    along = [_ramp(turn, *place, length) for turn, place in zip(turns[:, 0].tolist(), ends, strict=True)]
    across = np.exp(-2j * np.pi * (steps[:, 0] * turns[:, 1] + steps[:, 1] * turns[:, 2]))
    factor = (np.stack(along) * across.astype(np.complex64)[:, None])[:, None]
    return block.samples * factor


@lru_cache(maxsize=64)  # readouts of a shot have the same, or one for each direction
def _ramp(turn: float, first: int, last: int, length: int) -> NDArray[np.complex64]:
    """Return exp(-2 pi i turn x) at samples that lie evenly from one place to another."""
    return np.exp(-2j * np.pi * turn * np.linspace(first, last, length)).astype(np.complex64)


def ghosted(block: ReadoutBlock, ghost: Ghost, seed: int) -> NDArray[np.complex64]:  # noqa: ARG001  # as the others
    """Give odd and even lines half the phase and delay each, of opposite sign; (N, coils, samples), a new array.

    A phase phi alone turns an image I into cos(phi / 2) I + i sin(phi / 2) I shifted by half the field of view.

    Raises
    ------
    ValueError
        The readouts are on no grid.
    """
    steps, _ = block.on_grid()
    sign = np.where(steps[:, 0] // block.acceleration % 2 == 0, 0.5, -0.5)
    samples = block.samples
    if ghost.delay != 0:
        frequency = np.fft.fftfreq(samples.shape[2])
        late = np.exp(-2j * np.pi * ghost.delay * sign[:, None] * frequency).astype(np.complex64)
        samples = np.fft.ifft(np.fft.fft(samples, axis=2) * late[:, None], axis=2).astype(np.complex64, copy=False)
    return samples * np.exp(1j * ghost.phase * sign)[:, None, None].astype(np.complex64)
