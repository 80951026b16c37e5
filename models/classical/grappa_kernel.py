"""Which acquired lines GRAPPA predicts a missing one from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .sampling_lattice import SamplingLattice

Offset = tuple[int, int]
"""(kz, ky), relative to a line of the lattice."""


class KernelGroup(NamedTuple):
    """Missing lines of a cell of the lattice that are predicted from the same acquired lines."""

    sources: tuple[Offset, ...]
    """The acquired lines."""
    targets: tuple[Offset, ...]
    """The missing lines: 0 <= kz < R_z, 0 <= ky < R_y, but (0, 0)."""

    def span(self) -> tuple[slice, slice]:
        """From the lowest of all these lines to after the highest, along kz and ky."""
        kz, ky = zip(*self.sources, *self.targets, strict=True)
        return slice(min(kz), max(kz) + 1), slice(min(ky), max(ky) + 1)


def kernel_groups(lattice: SamplingLattice, blocks: tuple[int, int]) -> tuple[KernelGroup, ...]:
    """List the missing lines of a cell with their sources.

    Parameters
    ----------
    lattice
        How the scan is undersampled; its offset plays no part.
    blocks
        (along kz, along ky): how many acquired lines a missing one is predicted from, the nearest ones. Of two that are
        equally near the later one counts as nearer, so that an even number makes one group of most cells.
    """
    (rz, ry), groups = lattice.acceleration, dict[tuple[Offset, ...], list[Offset]]()
    for target in ((dz, dy) for dz in range(rz) for dy in range(ry)):
        if target == (0, 0):
            continue
        sources = []
        for i in _nearest(blocks[0], rz, target[0]):
            moved = lattice.shift * i
            sources += [(i * rz, j * ry + moved) for j in _nearest(blocks[1], ry, target[1] - moved)]
        groups.setdefault(tuple(sources), []).append(target)
    return tuple(KernelGroup(sources, tuple(targets)) for sources, targets in groups.items())


def _nearest(count: int, step: int, place: int) -> Iterable[int]:
    """Return the integers i, ascending, whose multiples i * step are nearest to a place."""
    middle = place // step
    candidates = range(middle - count, middle + count + 2)
    return sorted(sorted(candidates, key=lambda i: (abs(i * step - place), -i))[:count])
