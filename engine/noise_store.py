"""Noise covariances kept across sessions, so that a scan can use the noise measurement of an earlier one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class NoiseMeasurement:
    """What a noise scan told."""

    covariance: NDArray[np.complex128]
    """(coils, coils) covariance of the complex noise, E[n n^H], at ``dwell_time_us``."""
    samples: int
    """Complex samples per coil that it was estimated from."""
    dwell_time_us: float
    """Dwell time of the noise readouts in microseconds; 0 if the header gave none."""


class NoiseStore:
    """A bounded, thread-safe table from measurement id to noise measurement; the oldest is forgotten first."""

    def __init__(self, capacity: int = 64) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[str, NoiseMeasurement] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, measurement_id: str, noise: NoiseMeasurement) -> None:
        """Remember the noise of a measurement, replacing what was known of it."""
        with self._lock:
            self._kept.pop(measurement_id, None)
            self._kept[measurement_id] = noise
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)

    def find(self, measurement_id: str) -> NoiseMeasurement | None:
        """Return the noise of a measurement, or None if it is not (or no longer) known."""
        with self._lock:
            return self._kept.get(measurement_id)
