"""Fewer, virtual coils."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..engine.errors import DataError
from ..engine.gadget import Gadget
from ..engine.records import KSpace
from ..models.coil_compression import compressed, compression_matrix
from ..models.coils.geometric_compression import geometric_compression_matrices, geometrically_compressed


@dataclass(kw_only=True)
class CompressCoils(Gadget[KSpace, KSpace]):
    """Compress coils to fewer, virtual ones that hold most of the signal.

    Each slice of an encoding space has virtual coils of its own, found from its first calibration lines (or its first
    image where there are none) and kept for the rest of the scan, so that its images stay comparable.
    """

    method: Literal["svd", "geometric"] = "svd"
    """``svd``: the same virtual coils for all of k-space (Buehrer 2007). ``geometric``: other ones for every position
    along the readout, which must be fully sampled; fewer of them hold the same energy (Zhang 2013)."""
    coils: Annotated[int, Field(ge=1)] | None = None
    """Virtual coils; None takes as many as ``energy`` asks for. A scan with fewer keeps what it has."""
    energy: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Part of the signal energy to keep where ``coils`` is not given."""

    _matrices: dict[tuple[int, int, str], tuple[NDArray[np.complex64], float]] = field(init=False, default_factory=dict)

    def receive(self, message: KSpace) -> Iterable[KSpace]:
        """Compress one k-space and its calibration lines."""
        place = (message.key.encoding_space, message.key.slice, message.variant)
        if self.method == "geometric" and not _whole_readouts(message):
            raise DataError(
                f"readouts fill the columns {message.sampled_columns.start} to {message.sampled_columns.stop - 1} of "
                f'{message.data.shape[3]}; compress_coils.method = "geometric" needs all of them, "svd" does not'
            )
        if place not in self._matrices:
            source = message.data if message.calibration is None else message.calibration
            find = compression_matrix if self.method == "svd" else geometric_compression_matrices
            self._matrices[place] = find(source, coils=self.coils, energy=self.energy)
        matrix, kept = self._matrices[place]
        virtual, coils = matrix.shape[-2:]
        if coils != len(message.data):
            raise DataError(f"k-space has {len(message.data)} coils, expected {coils} as before in its slice")
        way = "" if self.method == "svd" else f" at each of {len(matrix)} positions along the readout"
        step = f"compress_coils: {coils} to {virtual} coils{way} with {kept:.4%} of the energy"
        apply = compressed if self.method == "svd" else geometrically_compressed
        yield replace(
            message,
            data=apply(message.data, matrix),
            calibration=None if message.calibration is None else apply(message.calibration, matrix),
            history=(*message.history, step),
        )


def _whole_readouts(message: KSpace) -> bool:
    columns: int = message.data.shape[3]
    return len(range(columns)[message.sampled_columns]) == columns
