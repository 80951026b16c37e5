"""Readouts that are lost, come twice, or are taken for one another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .counter_random import key_of, uniform
from .readout_kinds import Dropped, Reordered, Repeated


def arrivals(numbers: NDArray[np.int64], fault: Dropped | Repeated, seed: int) -> NDArray[np.intp]:
    """Return (N,) how often each readout arrives.

    Parameters
    ----------
    numbers
        (N,) numbers of the readouts.
    fault
        Lost or repeated.
    seed
        Of the random numbers.
    """
    hit = uniform(key_of(seed, fault.kind), numbers)[:, 0] < fault.share
    return np.where(hit, 0 if isinstance(fault, Dropped) else 2, 1)


def lines_exchanged(
    lines: NDArray[np.int64],
    images: Mapping[str, NDArray[np.int64]],
    limits: tuple[int, int],
    acceleration: int,
    exchange: Reordered,
    seed: int,
) -> NDArray[np.int64]:
    """Return the numbers of lines after some neighbours have been taken for each other.

    It goes by the numbers of the lines themselves, so that both of a pair find out, however far apart in the stream.

    Parameters
    ----------
    lines
        (N,) number of each readout's line along the first phase encoding.
    images
        (N,) other encoding counters: a pair is drawn anew where one differs.
    limits
        Lowest and highest line; a line whose neighbour lies beyond keeps its place.
    acceleration
        From one acquired line to the next.
    exchange
        Share of the pairs.
    seed
        Of the random numbers.
    """
    number, offset = np.divmod(lines, acceleration)
    partner = (number ^ 1) * acceleration + offset
    row = (number // 2) * acceleration + offset
    for counter in images.values():
        row = row * 1_000_003 + counter
    hit = uniform(key_of(seed, "reordered"), row)[:, 0] < exchange.share
    inside = (partner >= limits[0]) & (partner <= limits[1])
    return np.where(hit & inside, partner, lines)
