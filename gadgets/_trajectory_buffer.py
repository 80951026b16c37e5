"""The k-space of one image along its trajectories, while its readouts arrive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import DataError
from ..engine.mrd_header import Encoding, Limit


class TrajectoryBuffer:
    """What has come of one image.

    Parameters
    ----------
    encoding
        Whose limits of the encoding step and of averages promise readouts; without them, or with an acceleration,
        nothing is promised.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.nbytes = 0
        """Bytes of samples and trajectories."""
        self._blocks: list[tuple[NDArray[np.void], NDArray[np.complex64], NDArray[np.float32]]] = []
        given = encoding.limits.get("kspace_encoding_step_1") if max(encoding.acceleration) == 1 else None
        steps, average = given or Limit(0, -1), encoding.limits.get("average", Limit())
        self._first = (steps.minimum, average.minimum)
        self._seen = np.zeros((steps.maximum - steps.minimum + 1, average.maximum - average.minimum + 1), np.bool_)

    @property
    def promised(self) -> int:
        """Readouts promised, averages counted."""
        return self._seen.size

    @property
    def missing(self) -> int:
        """Readouts that were promised and have not come."""
        return int(np.count_nonzero(~self._seen))

    @property
    def last_average(self) -> int:
        """Number of the last average promised."""
        return self._first[1] + self._seen.shape[1] - 1

    def until_complete(self, headers: NDArray[np.void]) -> int | None:
        """Return how many of these readouts complete the image by count, or None if they do not."""
        if not self.promised:
            return None
        step, average = self._places(headers)
        new = ~self._seen[step, average]
        _, firsts = np.unique(step * self._seen.shape[1] + average, return_index=True)
        firsts = firsts[new[firsts]]
        return int(firsts.max()) + 1 if 0 < self.missing == len(firsts) else None

    def add(self, headers: NDArray[np.void], samples: NDArray[np.complex64], trajectory: NDArray[np.float32]) -> None:
        """Add readouts.

        Parameters
        ----------
        headers
            (N,) of ``ACQUISITION_DTYPE``.
        samples
            (N, coils, samples).
        trajectory
            (N, samples, dims).

        Raises
        ------
        DataError
            They have another number of coils or samples than those before.
        """
        if self._blocks and self._blocks[0][1].shape[1:] != samples.shape[1:]:
            before, now = self._blocks[0][1].shape[1:], samples.shape[1:]
            raise DataError(
                f"readouts from scan_counter {int(headers['scan_counter'][0])} on have {now[0]} coils and {now[1]} "
                f"samples, expected {before[0]} and {before[1]} as earlier in their image"
            )
        if self.promised:
            self._seen[self._places(headers)] = True
        self._blocks.append((headers, samples, trajectory))
        self.nbytes += samples.nbytes + trajectory.nbytes

    def taken(self) -> tuple[NDArray[np.complex64], NDArray[np.float32], NDArray[np.void]]:
        """Return data (coils, readouts, samples), trajectory (readouts, samples, dims) and the header in the middle."""
        headers, samples, trajectory = (np.concatenate(part) for part in zip(*self._blocks, strict=True))
        middle = headers[len(headers) // 2].copy().view(np.ndarray).reshape(())
        return np.moveaxis(samples, 1, 0), trajectory, middle

    def _places(self, headers: NDArray[np.void]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Step and average of each readout among those promised.

        Raises
        ------
        DataError
            A counter is beyond the header's limits.
        """
        places = []
        for name, first, size in zip(("kspace_encode_step_1", "average"), self._first, self._seen.shape, strict=True):
            index = headers["idx"][name].astype(np.intp) - first
            if ((index < 0) | (index >= size)).any():
                raise DataError(
                    f"{name} of the readouts from scan_counter {int(headers['scan_counter'][0])} on is "
                    f"{int(index.min()) + first} to {int(index.max()) + first}, expected {first} to {first + size - 1} "
                    "(encoding limits)"
                )
            places.append(index)
        return places[0], places[1]
