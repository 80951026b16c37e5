"""Undersampling masks of the kinds that scans use, drawn at random for slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .sampling_masks import Mask, centre_block, equispaced, partial_fourier_start, random_lines


def calibration_lines(n: int, acceleration: float) -> int:
    """Return how many centre lines are acquired: 8 % of n, half of that from R = 8 on, and 8 at least."""
    return max(round(n * 0.08) if acceleration < 8 else round(n * 0.04), 8)


def uniform_lines(n: int, acceleration: float, rng: np.random.Generator) -> Mask:
    """Draw the centre lines and uniformly random others, n / R in all (rounded down).

    This is the mask by which figures on real scans are quoted: with ``numpy.random.default_rng(0)`` it is the same.

    Parameters
    ----------
    n
        Lines of the grid; k = 0 is n // 2.
    acceleration
        R, all lines counted; the centre lines are acquired whatever it is.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        (ky,) bool.
    """
    mask = centre_block(n, calibration_lines(n, acceleration))
    rest = np.flatnonzero(~mask)
    mask[rng.choice(rest, max(int(n / acceleration) - int(mask.sum()), 0), replace=False)] = True
    return mask


def variable_density_lines(n: int, acceleration: float, rng: np.random.Generator) -> Mask:
    """Draw the centre lines and others that become rarer towards the edge, with a random steepness."""
    centre = centre_block(n, calibration_lines(n, acceleration))
    return random_lines((n,), acceleration, rng, always=centre, power=rng.uniform(0.5, 3))


def equispaced_lines(n: int, acceleration: float, rng: np.random.Generator) -> Mask:
    """Draw the centre lines and every r-th line, with the whole r that comes nearest to n / R lines in all."""
    mask = centre_block(n, calibration_lines(n, acceleration))
    others = n / acceleration - mask.sum()
    if others >= 1:
        step = round((n - int(mask.sum())) / others)
        mask |= equispaced(n, step, int(rng.integers(step)))
    return mask


def partial_fourier_lines(n: int, acceleration: float, rng: np.random.Generator) -> Mask:
    """Draw random lines of which one edge of k-space, 1/8 to 3/8 of it, has none."""
    first = partial_fourier_start(n, float(rng.choice([5 / 8, 6 / 8, 7 / 8])))
    acquired = np.arange(n) >= first
    if rng.random() < 0.5:
        acquired = np.roll(acquired[::-1], 1 - n % 2)  # mirrored about k = 0
    mask = centre_block(n, calibration_lines(n, acceleration))
    rest = np.flatnonzero(acquired & ~mask)
    others = min(max(round(n / acceleration) - int(mask.sum()), 0), len(rest))
    mask[rng.choice(rest, others, replace=False)] = True
    return mask


LINE_MASKS: Mapping[str, Callable[[int, float, np.random.Generator], Mask]] = {
    "uniform": uniform_lines,
    "variable_density": variable_density_lines,
    "equispaced": equispaced_lines,
    "partial_fourier": partial_fourier_lines,
}
"""Masks of whole readouts by name."""
