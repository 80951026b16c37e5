"""Fewer, virtual coils."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..engine.errors import DataError
from ..engine.gadget import Gadget
from ..engine.records import KSpace
from ..models.coil_compression import compressed, compression_matrix


@dataclass(kw_only=True)
class CompressCoils(Gadget[KSpace, KSpace]):
    """Compress coils by singular value decomposition.

    Each slice of an encoding space has virtual coils of its own, found from its first calibration lines (or its first
    image where there are none) and kept for the rest of the scan, so that its images stay comparable.
    """

    coils: Annotated[int, Field(ge=1)] | None = None
    """Virtual coils; None takes as many as ``energy`` asks for. A scan with fewer keeps what it has."""
    energy: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Part of the signal energy to keep where ``coils`` is not given."""

    _matrices: dict[tuple[int, int], tuple[NDArray[np.complex64], float]] = field(init=False, default_factory=dict)

    def receive(self, message: KSpace) -> Iterable[KSpace]:
        """Compress one k-space and its calibration lines."""
        place = (message.key.encoding_space, message.key.slice)
        if place not in self._matrices:
            source = message.data if message.calibration is None else message.calibration
            self._matrices[place] = compression_matrix(source, coils=self.coils, energy=self.energy)
        matrix, kept = self._matrices[place]
        if matrix.shape[1] != len(message.data):
            raise DataError(f"k-space has {len(message.data)} coils, expected {matrix.shape[1]} as before in its slice")
        step = f"compress_coils: {matrix.shape[1]} to {matrix.shape[0]} coils with {kept:.4%} of the energy"
        calibration = None if message.calibration is None else compressed(message.calibration, matrix)
        yield replace(
            message,
            data=compressed(message.data, matrix),
            calibration=calibration,
            history=(*message.history, step),
        )
