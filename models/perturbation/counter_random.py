"""Random numbers by place instead of by turn: number ``i`` of row ``n`` is a function of (key, n, i) alone.

So what a readout gets depends neither on how the stream is cut nor on what came before it, and all of a block is made
at once. The bits are those of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), which is a bijection applied to a counter,
each row's counter beginning at a place of its own. NumPy's generators would have to be seeded for every row, may give
other numbers in its next version, and took four times as long for a Gaussian in single precision (7 ns a number
against 1.7 on a core of an AMD EPYC).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))
_LAST = np.uint64(31)
_TAIL = 16
"""Of the 65536 steps in which a distribution is tabled, those at each end that are resolved further."""
Distribution = Literal["gaussian", "laplace"]


def key_of(seed: int, purpose: str) -> int:
    """Return a key (64 bits) of a seed and of what the numbers are for: other purposes, other numbers."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {purpose}".encode(), digest_size=8).digest(), "little")


def bits(key: int, rows: NDArray[np.int64], count: int) -> NDArray[np.uint64]:
    """Return (N, count) uint64 random bits.

    Parameters
    ----------
    key
        Of ``key_of``.
    rows
        (N,) numbers of the rows; equal ones get equal bits.
    count
        How many a row.
    """
    begin = _mixed((rows.astype(np.uint64) * _GOLDEN) ^ np.uint64(key))
    return _mixed(begin[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)


def uniform(key: int, rows: NDArray[np.int64], count: int = 1) -> NDArray[np.float64]:
    """Return (N, count) float64, uniform in (0, 1), of 53 bits."""
    return ((bits(key, rows, count) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def chance(key: int, rows: NDArray[np.int64], count: int, share: float) -> NDArray[np.bool_]:
    """Return (N, count) bool, each true with the probability ``share``, which is rounded to 32 bits."""
    drawn = bits(key, rows, -(-count // 2)).astype("<u8", copy=False).view("<u4")[:, :count]
    return drawn < round(share * 2**32)


def normal(key: int, rows: NDArray[np.int64], count: int = 1) -> NDArray[np.float64]:
    """Return (N, count) float64 of a standard normal distribution."""
    return _quantile("gaussian")(uniform(key, rows, count))


def fast(
    key: int, rows: NDArray[np.int64], count: int, distribution: Distribution, deviation: float = 1.0
) -> NDArray[np.float32]:
    """Return (N, count) float32 of mean 0, for when there are very many.

    The distribution is tabled in 65536 steps of equal probability, the outermost 16 of which at each end are resolved
    with 48 bits more. Steps of the Gaussian are at most 0.02 standard deviations wide, and it reaches 8.

    Parameters
    ----------
    key, rows, count
        As ``bits``.
    distribution
        Of them.
    deviation
        Their standard deviation.
    """
    quarter = -(-count // 4)
    drawn = bits(key, rows, quarter)
    steps = drawn.astype("<u8", copy=False).view("<u2")[:, :count]
    values = np.empty(steps.shape, np.float32)
    scale = np.float32(deviation)
    np.take(_table(distribution) * scale, steps, out=values, mode="wrap")  # all are in the table: the fastest mode
    outer = np.flatnonzero(steps + np.uint16(_TAIL) < 2 * _TAIL)  # those at the upper end wrap around
    if outer.size:
        row, place = np.divmod(outer, count)
        further = (drawn[row, place // 4] ^ (place % 4 + 1).astype(np.uint64)) * _GOLDEN
        fraction = ((_mixed(further) >> np.uint64(16)).astype(np.float64) + 0.5) * 2.0**-48
        step = steps[row, place].astype(np.float64)
        mirrored = step > 32768  # close to 1 there are no more digits: take the other end
        tail = _quantile(distribution)(np.where(mirrored, 65535 - step + fraction, step + fraction) / 65536)
        values[row, place] = np.where(mirrored, -tail, tail).astype(np.float32) * scale
    return values


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function, in place."""
    shifted = np.empty_like(z)
    for shift, factor in _MIX:
        np.right_shift(z, np.uint64(shift), out=shifted)
        np.bitwise_xor(z, shifted, out=z)
        np.multiply(z, factor, out=z)
    np.right_shift(z, _LAST, out=shifted)
    return np.bitwise_xor(z, shifted, out=z)


def _quantile(distribution: Distribution) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return _laplace if distribution == "laplace" else _gaussian


def _gaussian(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtri  # only chains that perturb need it

    found: NDArray[np.float64] = ndtri(probability)
    return found


def _laplace(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    outer = np.log(2 * np.minimum(probability, 1 - probability)) / np.sqrt(2)
    return np.where(probability < 0.5, outer, -outer)


@lru_cache(maxsize=2)
def _table(distribution: Distribution) -> NDArray[np.float32]:
    """(65536,) the middles of the steps."""
    middles = _quantile(distribution)((np.arange(32768) + 0.5) / 65536)
    return np.concatenate([middles, -middles[::-1]]).astype(np.float32)
