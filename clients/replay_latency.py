"""How long an image takes after the last readout that it needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.mrd_layout import NOT_IMAGING, AcquisitionFlag

_COUNTERS = ("slice", "contrast", "repetition", "set", "phase")
_NO_IMAGE = NOT_IMAGING & ~AcquisitionFlag.IS_PARALLEL_CALIBRATION.bit  # an image waits for its calibration lines, too


class ImageKeys:
    """Which image each readout of a scan belongs to.

    Parameters
    ----------
    headers
        (N,) of ``ACQUISITION_DTYPE``, the whole scan in order.

    Attributes
    ----------
    numbers
        (N,) int64: number of the readout's key (encoding space, slice, contrast, repetition, set, phase), or -1 for
        noise, navigators and others that no image waits for.
    count
        Number of keys.
    """

    def __init__(self, headers: NDArray[np.void]) -> None:
        used = (headers["flags"] & np.uint64(_NO_IMAGE)) == 0
        counters = [headers["encoding_space_ref"], *(headers["idx"][name] for name in _COUNTERS)]
        keys, numbers = np.unique(np.stack(counters, axis=1)[used], axis=0, return_inverse=True)
        self.numbers: NDArray[np.int64] = np.full(len(headers), -1, np.int64)
        self.numbers[used] = numbers.reshape(-1)
        self.count = len(keys)
        self._by_image: dict[tuple[int, ...], list[int]] = {}
        for number, key in enumerate(keys.tolist()):
            self._by_image.setdefault(tuple(key[1:]), []).append(number)

    def of_image(self, header: NDArray[np.void]) -> list[int]:
        """Return the keys that an image may have come from; several if encoding spaces share its counters.

        An image header does not name its encoding space.
        """
        return self._by_image.get(tuple(int(header[name]) for name in _COUNTERS), [])


class LastSent:
    """When the last readout of every image was sent, in one session.

    Parameters
    ----------
    keys
        Keys of the scan that is sent.
    """

    def __init__(self, keys: ImageKeys) -> None:
        self._keys = keys
        self._times = np.full(keys.count + 1, np.nan)  # the last slot takes the readouts of no image, numbered -1

    def mark(self, first: int, last: int, now: float) -> None:
        """Note that readouts ``first`` to ``last - 1`` of the scan have been sent, at ``now`` (s)."""
        self._times[self._keys.numbers[first:last]] = now

    def latency(self, header: NDArray[np.void], now: float) -> float | None:
        """Return the seconds since the last readout of an image that came at ``now``.

        None if no readout with the image's counters was sent. Where encoding spaces share the counters, the latest
        readout counts.
        """
        times = self._times[self._keys.of_image(header)]
        known = times[~np.isnan(times)]
        return float(now - known.max()) if len(known) else None
