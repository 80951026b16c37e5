"""The k-space of one image while its lines arrive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._sampling import Sampling


class Lines:
    """Lines on a grid, summed in the order in which they came.

    Parameters
    ----------
    lines
        Lines of the flattened (nz, ny) grid.
    coils, columns
        Shape of a line.
    latest
        Whether a line that comes again replaces the one before; otherwise they are averaged.
    """

    def __init__(self, lines: int, coils: int, columns: int, *, latest: bool) -> None:
        # a line's coils lie together, so that placing a readout is one copy; zeros take no memory until written
        self._sums = np.zeros((lines, coils, columns), np.complex64)
        self._latest = latest
        self.counts = np.zeros(lines, np.int64)
        """(lines,) times that each was acquired."""

    def add(
        self, places: NDArray[np.intp], ranks: NDArray[np.intp], samples: NDArray[np.complex64], start: int
    ) -> None:
        """Add readouts.

        Parameters
        ----------
        places
            (N,) line of each readout.
        ranks
            (N,) how many readouts of the same line stand before it in ``places``.
        samples
            (N, coils, samples), in the order of k.
        start
            Column of the first sample.
        """
        stop = start + samples.shape[2]
        for rank in range(int(ranks.max(initial=0)) + 1):
            chosen = ranks == rank if ranks.any() else slice(None)
            where, what = places[chosen], samples[chosen]
            if self._latest or not self.counts[where].any():
                self._sums[where, :, start:stop] = what
            else:
                old = np.where(self.counts[where, None, None] > 0, self._sums[where, :, start:stop], 0)
                self._sums[where, :, start:stop] = old + what
            self.counts[where] += 1

    def taken(self, grid: tuple[int, int]) -> NDArray[np.complex64]:
        """Return (coils, kz, ky, kx), averaged; the lines must not be added to afterwards."""
        several = np.flatnonzero(self.counts > 1)
        if several.size and not self._latest:
            self._sums[several] /= self.counts[several, None, None].astype(np.float32)
        return np.moveaxis(self._sums.reshape(*grid, *self._sums.shape[1:]), 2, 0)


class KSpaceBuffer:
    """What has come of one image.

    Parameters
    ----------
    sampling
        What the scan promises.
    coils, columns
        Shape of a line on the readout grid.
    latest
        As in ``Lines``.
    """

    def __init__(self, sampling: Sampling, coils: int, columns: int, *, latest: bool) -> None:
        self.sampling = sampling
        self.coils, self.columns = coils, columns
        self._latest = latest
        self.imaging = self._lines()
        self.calibration: Lines | None = None
        self.readouts = 0
        self.header: NDArray[np.void] | None = None
        """() the header nearest the centre of k-space."""
        self.filled = [columns, 0]
        """First column, and the column after the last, that readouts filled."""
        self._promised: NDArray[np.bool_] | None = None
        self._outstanding = 0
        self._nearest = np.inf

    @property
    def nbytes(self) -> int:
        """Bytes of its grids."""
        return self.coils * self.columns * 8 * len(self.imaging.counts) * (1 if self.calibration is None else 2)

    @property
    def missing(self) -> int:
        """Lines fewer than promised; with an acceleration only their number is promised, not which."""
        if self._promised is None:
            return 0
        return max(0, int(self._promised.sum()) - int((self.imaging.counts > 0).sum()))

    @property
    def promised(self) -> int:
        """Lines promised."""
        return 0 if self._promised is None else int(self._promised.sum())

    def until_complete(
        self, places: NDArray[np.intp], ranks: NDArray[np.intp], imaging: NDArray[np.bool_]
    ) -> int | None:
        """Return how many of these readouts complete the image by count, or None if they do not."""
        if not imaging.any():
            return None
        if self._promised is None:
            self._promised = self.sampling.promised(int(places[np.argmax(imaging)]))
            self._outstanding = int(self._promised.sum()) * self.sampling.averages
        useful = imaging & self._promised[places] & (self.imaging.counts[places] + ranks < self.sampling.averages)
        left = self._outstanding - int(np.count_nonzero(useful))
        if left > 0 or self._outstanding == 0:
            self._outstanding = left
            return None
        self._outstanding = 0
        return int(np.flatnonzero(useful)[-1]) + 1

    def add(
        self,
        headers: NDArray[np.void],
        places: NDArray[np.intp],
        samples: NDArray[np.complex64],
        *,
        start: int,
        filled: tuple[int, int],
        imaging: NDArray[np.bool_],
        calibration: NDArray[np.bool_],
    ) -> None:
        """Add readouts: to the image, to the calibration region, or to both."""
        if imaging.all():
            self.imaging.add(places, ranks_of(places), samples, start)
        elif imaging.any():
            self.imaging.add(places[imaging], ranks_of(places[imaging]), samples[imaging], start)
        if calibration.any():
            if self.calibration is None:
                self.calibration = self._lines()
            self.calibration.add(places[calibration], ranks_of(places[calibration]), samples[calibration], start)
        self.readouts += len(headers)
        self.filled = [min(self.filled[0], filled[0]), max(self.filled[1], filled[1])]
        nz, ny = self.sampling.grid
        distance = (places // ny - nz // 2) ** 2 + (places % ny - ny // 2) ** 2
        nearest = int(np.argmin(distance))
        if distance[nearest] < self._nearest:
            self._nearest = int(distance[nearest])
            self.header = headers[nearest].copy().view(np.ndarray).reshape(())

    def _lines(self) -> Lines:
        nz, ny = self.sampling.grid
        return Lines(nz * ny, self.coils, self.columns, latest=self._latest)


def ranks_of(places: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each entry, how many equal ones stand before it."""
    if len(places) == 1:
        return np.zeros(1, np.intp)
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    first = np.ones(len(places), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    index = np.arange(len(places))
    ranks = np.empty_like(index)
    ranks[order] = index - np.maximum.accumulate(np.where(first, index, 0))
    return ranks
