"""Points in an order of which every beginning is a Poisson disc pattern: a mask of any density is one look-up."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .sampling_masks import Mask

_SHRINK = 0.9  # of the distance, once no place is left
_ORDER_SEED = 0


@lru_cache(maxsize=4)
def poisson_order(n: int) -> NDArray[np.float64]:
    """Rank the points of an n x n torus so that the first ones, however many, keep a distance from one another.

    Darts are thrown at a distance that shrinks whenever no place is left: M. McCool and E. Fiume, Proc. Graphics
    Interface 1992, 94.

    Returns
    -------
    ndarray
        (n, n) float64: rank over n^2, 0 for the first point.
    """
    rng = np.random.default_rng(_ORDER_SEED)
    nearest = np.full((n, n), np.inf)  # squared distance to the points so far, as far as it still matters
    rank = np.full(n * n, -1.0)
    distance, placed = n / 2, 0
    while placed < n * n:
        reach = int(distance)
        near = np.arange(-reach, reach + 1)
        squares = (near[:, None] ** 2 + near**2).astype(float)
        for point in rng.permutation(np.flatnonzero((nearest.ravel() >= distance**2) & (rank < 0))):
            y, x = divmod(int(point), n)
            if nearest[y, x] < distance**2:
                continue
            rank[point] = placed
            placed += 1
            around = np.ix_((y + near) % n, (x + near) % n)
            nearest[around] = np.minimum(nearest[around], squares)
        distance = distance * _SHRINK if distance > 1 else 0.0
    return (rank / n**2).reshape(n, n)


def poisson_points(
    shape: tuple[int, int], acceleration: float, rng: np.random.Generator, *, centre: int, power: float = 1.0
) -> Mask:
    """Draw a Poisson disc mask that becomes sparser towards the edge of k-space, over a fully sampled centre.

    ``sampling_masks.poisson_disc`` throws its darts anew for each mask; here one order is moved, mirrored and turned.

    Parameters
    ----------
    shape
        (ky, kx), or two phase-encoding directions.
    acceleration
        R: size / R points in all, to some percent.
    rng
        Source of randomness.
    centre
        Edge of the fully sampled square about k = 0.
    power
        The density falls as (1 + 3 |k|)^-power, with |k| = 1 at the edges.

    Returns
    -------
    ndarray
        (ky, kx) bool.
    """
    order = np.roll(poisson_order(max(*shape)), rng.integers(max(*shape), size=2), (0, 1))
    order = order[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
    order = (order.T if rng.random() < 0.5 else order)[: shape[0], : shape[1]]
    ky, kx = ((np.arange(n) - n // 2) / (n / 2) for n in shape)
    density = (1 + 3 * np.hypot(ky[:, None], kx)) ** -power
    block = (slice(n // 2 - centre // 2, n // 2 - centre // 2 + centre) for n in shape)
    level = order / density
    level[tuple(block)] = -1
    wanted = min(max(round(order.size / acceleration), centre**2), order.size)
    return np.asarray(level <= np.partition(level.ravel(), wanted - 1)[wanted - 1])
