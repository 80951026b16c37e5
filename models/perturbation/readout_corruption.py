"""Corruption of the samples of readouts, by specification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .readout_block import ReadoutBlock
from .readout_drifts import gain_drifted, ghosted, moved, phase_drifted
from .readout_faults import clipped, interfered, silenced, spiked, truncated
from .readout_kinds import Clipping, CoilDropout, GainDrift, Ghost, Interference, Motion, PhaseDrift, Spikes, Truncated

SampleCorruption = Spikes | Interference | Truncated | CoilDropout | GainDrift | PhaseDrift | Motion | Ghost | Clipping
"""Kinds that change samples; the others change which readouts come, and under which counters (``readout_order``)."""
_DOES: Mapping[type[SampleCorruption], Callable[[ReadoutBlock, Any, int], NDArray[np.complex64]]] = {
    Spikes: spiked,
    Interference: interfered,
    Truncated: truncated,
    CoilDropout: silenced,
    GainDrift: gain_drifted,
    PhaseDrift: phase_drifted,
    Motion: moved,
    Ghost: ghosted,
    Clipping: clipped,
}


def corrupted(block: ReadoutBlock, corruption: SampleCorruption, seed: int) -> NDArray[np.complex64]:
    """Return the samples of a block after a corruption.

    Parameters
    ----------
    block
        N readouts of (coils, samples).
    corruption
        What to do.
    seed
        Of the random numbers. What a readout gets depends on it and on the readout's number, not on the block.

    Returns
    -------
        (N, coils, samples) complex64: a new array, or the block's own where nothing is done.

    Raises
    ------
    ValueError
        The block lacks what is needed: a grid, a field of view, the scan's noise, as many coils.
    """
    if corruption.nothing:
        return block.samples
    return _DOES[type(corruption)](block, corruption, seed)
