"""What an encoding space promises: the grid of lines, where its centre is, and which lines will come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import DataError
from ..engine.mrd_header import Encoding, Limit


@dataclass(frozen=True, slots=True)
class Sampling:
    """The lines (kz, ky) of an encoding space."""

    partitions: Limit
    lines: Limit
    grid: tuple[int, int]
    """(nz, ny) of the encoded matrix."""
    acceleration: tuple[int, int]
    """(along kz, along ky)."""
    averages: int
    """Times that each line is promised."""
    calibration_expected: bool
    """True if the header promises calibration lines that may come after the imaging lines."""

    @classmethod
    def of(cls, encoding: Encoding, *, split_averages: bool) -> Sampling:
        """Read it from the header; without encoding limits every line of the encoded matrix is promised once."""
        _, ny, nz = encoding.encoded.matrix
        average = encoding.limits.get("average", Limit())
        return cls(
            partitions=encoding.limits.get("kspace_encoding_step_2", Limit(0, nz - 1, nz // 2)),
            lines=encoding.limits.get("kspace_encoding_step_1", Limit(0, ny - 1, ny // 2)),
            grid=(nz, ny),
            acceleration=(encoding.acceleration[1], encoding.acceleration[0]),
            averages=1 if split_averages else average.maximum - average.minimum + 1,
            calibration_expected=max(encoding.acceleration) > 1
            and encoding.calibration_mode in {"embedded", "separate"},
        )

    def places(self, headers: NDArray[np.void]) -> NDArray[np.intp]:
        """Index of each readout's line on the flattened (nz, ny) grid, with k=0 at (nz // 2, ny // 2).

        Raises
        ------
        DataError
            A line would lie beyond the grid.
        """
        kz = self._axis(headers, "kspace_encode_step_2", self.partitions, self.grid[0])
        ky = self._axis(headers, "kspace_encode_step_1", self.lines, self.grid[1])
        return kz * self.grid[1] + ky

    def _axis(self, headers: NDArray[np.void], name: str, limit: Limit, size: int) -> NDArray[np.intp]:
        index = headers["idx"][name].astype(np.intp) - limit.center + size // 2
        outside = (index < 0) | (index >= size)
        if outside.any():
            first = int(np.argmax(outside))
            low = limit.center - size // 2
            raise DataError(
                f"a readout (scan_counter {int(headers['scan_counter'][first])}) has {name} "
                f"{int(headers['idx'][name][first])}; with the k-space centre at {limit.center} (encoding limits) the "
                f"encoded matrix of {size} holds {max(low, 0)} to {low + size - 1}"
            )
        return index

    def promised(self, first_place: int) -> NDArray[np.bool_]:
        """(nz * ny,) bool: the lines that will come, given one of them.

        With an acceleration R they are those a multiple of R away from the one given, within the encoding limits.
        """
        nz, ny = self.grid
        z, y = divmod(first_place, ny)
        return np.logical_and.outer(
            _lattice(nz, self.partitions, z, self.acceleration[0]), _lattice(ny, self.lines, y, self.acceleration[1])
        ).ravel()


def _lattice(size: int, limit: Limit, through: int, step: int) -> NDArray[np.bool_]:
    index = np.arange(size)
    shift = size // 2 - limit.center
    chosen: NDArray[np.bool_] = (index >= limit.minimum + shift) & (index <= limit.maximum + shift)
    chosen &= (index - through) % step == 0
    return chosen
