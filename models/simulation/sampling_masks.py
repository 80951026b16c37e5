"""Which lines of k-space are acquired.

Masks are bool over phase-encoding lines, (ky,) or (kz, ky), True where a line is acquired; k = 0 is index n // 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def equispaced(n: int, acceleration: int, offset: int = 0) -> Mask:
    """Every R-th line; line n // 2 + offset is one of them."""
    return np.asarray((np.arange(n) - n // 2 - offset) % acceleration == 0)


def equispaced_2d(shape: tuple[int, int], acceleration: tuple[int, int], shift: int = 0, offset: int = 0) -> Mask:
    """Every R-th line along both directions, sheared as in CAIPIRINHA.

    Parameters
    ----------
    shape
        (kz, ky).
    acceleration
        (along kz, along ky).
    shift
        By how many ky lines the pattern moves from one acquired kz to the next (F. A. Breuer et al., Magn. Reson.
        Med. 55, 549 (2006)).
    offset
        By how many ky lines the whole pattern is moved; at 0 it has the line k = 0.
    """
    (nz, ny), (rz, ry) = shape, acceleration
    kz, ky = np.arange(nz) - nz // 2, np.arange(ny) - ny // 2
    return np.asarray((kz % rz == 0)[:, None] & ((ky[None, :] - offset - shift * (kz[:, None] // rz)) % ry == 0))


def centre_block(n: int, width: int) -> Mask:
    """Return the width lines about k = 0: n // 2 - width // 2 and on; all of them if width >= n."""
    first = max(0, n // 2 - width // 2)
    mask = np.zeros(n, bool)
    mask[first : first + min(width, n)] = True
    return mask


def random_lines(
    shape: tuple[int, ...],
    acceleration: float,
    rng: np.random.Generator,
    *,
    always: Mask | None = None,
    power: float = 2.0,
) -> Mask:
    """Draw lines at random, denser about the centre.

    Parameters
    ----------
    shape
        (ky,) or (kz, ky).
    acceleration
        R: size / R lines are acquired in all, rounded, unless ``always`` alone has more.
    rng
        Source of randomness.
    always
        Lines that are acquired in any case, and count; none by default.
    power
        The density falls as (1 - |k|)^power towards the edge, with |k| = 1 there; 0 for uniform.

    Returns
    -------
    ndarray
        As the shape says.
    """
    mask = np.zeros(shape, bool) if always is None else always.copy()
    weight = np.where(mask, 0.0, (1 - np.minimum(_radius(shape), 1)) ** power + 0.02).ravel()
    wanted = min(round(mask.size / acceleration) - int(mask.sum()), int(np.count_nonzero(weight)))
    if wanted > 0:
        mask.ravel()[rng.choice(mask.size, wanted, replace=False, p=weight / weight.sum())] = True
    return mask


def poisson_disc(
    shape: tuple[int, ...],
    acceleration: float,
    rng: np.random.Generator,
    *,
    always: Mask | None = None,
    growth: float = 2.0,
) -> Mask:
    """Draw lines at random that keep a distance from one another, which grows towards the edge of k-space.

    Lines are tried in random order and taken unless one taken before is nearer than the distance asked for there; the
    distance is found by bisection such that size / R lines are taken, to about 1 %. After R. Bridson, SIGGRAPH 2007,
    and M. Lustig et al., Magn. Reson. Med. 58, 1182 (2007).

    Parameters
    ----------
    shape, acceleration, rng, always
        As for ``random_lines``; ``always`` keeps no distance.
    growth
        The distance at the edge is 1 + growth times that at the centre.
    """
    kept = np.zeros(shape, bool) if always is None else always
    wanted = max(0, round(kept.size / acceleration) - int(kept.sum()))
    order = rng.permutation(kept.size)
    ramp = (1 + growth * _radius(shape)).ravel()
    low, high, best = 0.0, float(max(shape)), kept.copy()
    for _ in range(14):
        scale = (low + high) / 2
        taken = _spaced(shape, order, scale * ramp, kept)
        count = int(taken.sum()) - int(kept.sum())
        if abs(count - wanted) < abs(int(best.sum()) - int(kept.sum()) - wanted):
            best = taken
        if count == wanted:
            break
        low, high = (scale, high) if count > wanted else (low, scale)
    return best


def partial_fourier_start(n: int, fraction: float) -> int:
    """Return the first line that is acquired if a fraction of n lines is and the early ones are left out.

    Raises
    ------
    ValueError
        The fraction is not above 1/2 and up to 1, so that the centre would be missing.
    """
    if not 0.5 < fraction <= 1:
        raise ValueError(f"partial Fourier fraction is {fraction}, expected above 0.5 and up to 1")
    return min(n - int(np.ceil(fraction * n)), n // 2)


def _radius(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Distance from k = 0 where the edge of each axis is 1."""
    axes = [(np.arange(n) - n // 2) / max(n / 2, 1) for n in shape]
    return np.asarray(np.sqrt(sum(g**2 for g in np.meshgrid(*axes, indexing="ij"))))


def _spaced(shape: tuple[int, ...], order: NDArray[np.int64], distance: NDArray[np.float64], kept: Mask) -> Mask:
    blocked, taken = kept.copy(), kept.copy()
    for flat in order:
        place = np.unravel_index(flat, shape)
        if blocked[place]:
            continue
        taken[place] = True
        reach = float(distance[flat])
        box = tuple(
            slice(max(0, int(p - reach)), min(n, int(p + reach) + 1)) for p, n in zip(place, shape, strict=True)
        )
        grids = np.ogrid[box]
        near = sum((g - p) ** 2 for g, p in zip(grids, place, strict=True)) < reach**2
        blocked[box] |= near
    return taken
