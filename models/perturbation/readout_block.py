"""A block of readouts with what perturbations need to know of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .readout_kinds import Unit


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadoutBlock:
    """N readouts of one shape, in the order of acquisition."""

    samples: NDArray[np.complex64]
    """(N, coils, samples) complex64, in the order in which they were sampled; any strides or alignment."""
    numbers: NDArray[np.int64]
    """(N,) number of each readout, counted from 0 in the scan: random numbers go by it."""
    scan_noise: float | None = None
    """Standard deviation of the scan's complex noise in these samples, root mean square over coils; None: unknown."""
    steps: NDArray[np.int64] | None = None
    """(N, 2) k-space position of each readout along y and z, in grid steps from the centre; None: on no grid."""
    columns: NDArray[np.int64] | None = None
    """(N, 2) the same along x of the first and the last sample: those between are evenly spaced."""
    extent: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """(x, y, z) in mm: a position of n grid steps is n / extent cycles per mm."""
    acceleration: int = 1
    """Grid steps along y between lines that are acquired."""

    def sizes(self, size: float, unit: Unit) -> NDArray[np.float64]:
        """Return (N,) a size in the unit of the samples.

        Raises
        ------
        ValueError
            It is in multiples of the scan's noise, and that is not known.
        """
        if unit == "readout":
            # rows of one contiguous array: the order of the sums, so their bits, is the same for any N
            parts = np.ascontiguousarray(self.samples).view(np.float32).reshape(len(self.samples), -1)
            power = 2 * np.square(parts, dtype=np.float64).sum(axis=1) / max(parts.shape[1], 1)
            return size * np.sqrt(power)
        if unit == "scan_noise":
            if self.scan_noise is None:
                raise ValueError("the noise of the scan is not known")
            size *= self.scan_noise
        return np.full(len(self.samples), size)

    def on_grid(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return ``steps`` and ``columns``.

        Raises
        ------
        ValueError
            The readouts are on no grid.
        """
        if self.steps is None or self.columns is None:
            raise ValueError("the readouts are on no Cartesian grid")
        return self.steps, self.columns
