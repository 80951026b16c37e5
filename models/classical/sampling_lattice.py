"""Regular undersampling: every R-th line along one or two directions, sheared or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Lines = NDArray[np.bool_]
"""(kz, ky) bool: lines of k-space; one kz for a slice."""

MOST = 16
"""Largest acceleration, over both directions, that is looked for."""


@dataclass(frozen=True, slots=True)
class SamplingLattice:
    """Lines (kz, ky) with kz = offset_z + R_z i, ky = offset_y + R_y j + shift i, for all integers i and j."""

    acceleration: tuple[int, int] = (1, 1)
    """(R_z, R_y)."""
    shift: int = 0
    """By how many ky lines the pattern moves from one acquired kz to the next: F. A. Breuer et al., Magn. Reson. Med.
    55, 549 (2006), CAIPIRINHA."""
    offset: tuple[int, int] = (0, 0)
    """(kz, ky) index of one line of it."""

    @property
    def factor(self) -> int:
        """R over both directions."""
        return self.acceleration[0] * self.acceleration[1]

    def cell(self, shape: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return how far along kz and along ky every line of a (kz, ky) grid is from the lattice line before it."""
        rz, ry = self.acceleration
        kz = np.arange(shape[0])[:, None] - self.offset[0]
        ky = np.arange(shape[1])[None, :] - self.offset[1]
        return np.broadcast_to(kz % rz, shape), np.asarray((ky - self.shift * (kz // rz)) % ry)

    def points(self, shape: tuple[int, int]) -> Lines:
        """(kz, ky) bool: the lines of the lattice on a grid."""
        dz, dy = self.cell(shape)
        return np.asarray((dz == 0) & (dy == 0))

    def covered(self, lines: Lines) -> Lines:
        """(kz, ky) bool: what the acquired part of the lattice surrounds, and so can fill.

        K-space that the scan leaves out on purpose, by partial Fourier or an elliptic shutter, is not of it.
        """
        on = lines & self.points(lines.shape)
        return _reached(on, self.acceleration) & _reached(on[::-1, ::-1], self.acceleration)[::-1, ::-1]


def find_lattice(lines: Lines) -> SamplingLattice | None:
    """Recognise a regular undersampling from the acquired lines.

    The lines must be those of a lattice without holes, and beside them at most a filled rectangle (calibration lines).

    Parameters
    ----------
    lines
        (kz, ky) bool: what was acquired.

    Returns
    -------
        The densest lattice that explains the lines, with R = 1 where nothing is left out between them; None for
        irregular sampling, or an acceleration above ``MOST``.
    """
    places = np.argwhere(lines)
    if not len(places):
        return None
    across = places[np.lexsort(places.T)]
    anchors = [tuple(place.tolist()) for place in (places[0], places[-1], across[0], across[-1])]
    return next((lattice for lattice in _candidates(lines.shape, anchors) if _explains(lattice, lines)), None)


def _candidates(shape: tuple[int, int], anchors: list[tuple[int, int]]) -> Iterator[SamplingLattice]:
    """Lattices through an outermost line, the densest first; calibration lines are not outermost everywhere."""
    nz, ny = (min(n, MOST) for n in shape)
    pairs = [(rz, ry) for rz in range(1, nz + 1) for ry in range(1, ny + 1) if rz * ry <= MOST]
    for rz, ry in sorted(pairs, key=lambda pair: pair[0] * pair[1]):
        for shift in range(ry if nz > 1 else 1):
            offsets = dict[tuple[int, int], None]()
            for z, y in anchors:
                offsets[z % rz, (y - shift * (z // rz)) % ry] = None
            yield from (SamplingLattice((rz, ry), shift, offset) for offset in offsets)


def _explains(lattice: SamplingLattice, lines: Lines) -> bool:
    points = lattice.points(lines.shape)
    on: Lines = lines & points
    off: Lines = lines & ~points
    rows: NDArray[np.bool_] = np.asarray(on.any(axis=1))
    if not rows.any() or (_between(rows) & points.any(axis=1) & ~rows).any() or (_between(on) & points & ~on).any():
        return False
    if not off.any():
        return True
    z, y = np.nonzero(off)
    return bool(lines[z.min() : z.max() + 1, y.min() : y.max() + 1].all())


def _between(lines: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """From the first true entry of the last axis to the last."""
    forward = np.logical_or.accumulate(lines, axis=-1)
    backward = np.logical_or.accumulate(lines[..., ::-1], axis=-1)[..., ::-1]
    return np.asarray(forward & backward)


def _reached(on: Lines, acceleration: tuple[int, int]) -> Lines:
    """Lines with a lattice line, or the edge of the grid, in the cell before them."""
    rz, ry = acceleration
    wide = np.pad(on, ((rz - 1, 0), (ry - 1, 0)), constant_values=True)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(wide, (rz, ry)).any(axis=(2, 3)))
