"""Which image readouts belong to, and which images a readout ends."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..engine.mrd_layout import AcquisitionFlag
from ..engine.records import Key

F = AcquisitionFlag
_COUNTERS = ("repetition", "set", "phase", "contrast", "slice", "average", "segment")


def keys_of(
    headers: NDArray[np.void], space: int, *, split_averages: bool = False, split_segments: bool = False
) -> Iterator[tuple[Key, NDArray[np.intp]]]:
    """Yield the images that readouts of an encoding space belong to, and which readouts, in the order of their first.

    Parameters
    ----------
    headers
        (N,) of ``ACQUISITION_DTYPE``, N at least 1.
    space
        Number of the encoding space.
    split_averages, split_segments
        Whether each average and segment is an image of its own.
    """
    index = headers["idx"]
    table = np.stack([index[name] for name in _COUNTERS], axis=1)
    if not split_averages:
        table[:, 5] = 0
    if not split_segments:
        table[:, 6] = 0
    everything = np.arange(len(headers))
    if (table == table[0]).all():
        yield Key(space, *table[0].tolist()), everything
        return
    _, firsts, inverse = np.unique(table, axis=0, return_index=True, return_inverse=True)
    for group in np.argsort(firsts):
        yield Key(space, *table[firsts[group]].tolist()), everything[inverse.ravel() == group]


def superseded(key: Key, begun: Collection[Key], sequential: Sequence[str]) -> list[Key]:
    """Return the images begun of the same slice that a readout of ``key`` ends: other values of sequential counters."""
    return sorted(
        other
        for other in begun
        if other.encoding_space == key.encoding_space
        and other.slice == key.slice
        and any(getattr(other, name) != getattr(key, name) for name in sequential)
    )


def ended_by_flag(header: np.void, begun: Collection[Key], own: Key | None) -> list[Key]:
    """Return the images begun that the flags of a readout end; LAST_IN_SLICE ends ``own``, if anything."""
    flags = int(header["flags"])
    if flags & F.IS_NOISE_MEASUREMENT.bit:
        return []
    if flags & F.LAST_IN_MEASUREMENT.bit:
        return sorted(begun)
    if flags & F.LAST_IN_REPETITION.bit:
        return sorted(key for key in begun if key.repetition == int(header["idx"]["repetition"]))
    return [own] if flags & F.LAST_IN_SLICE.bit and own is not None and own in begun else []


def described(key: Key) -> str:
    """Return the counters that are not zero, readable."""
    return ", ".join(f"{name} {value}" for name, value in key._asdict().items() if value) or "slice 0"
