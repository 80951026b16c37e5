"""What a trajectory needs to be reconstructed: a transform, the density of its samples, and which of them count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import DataError
from ..engine.mrd_header import Encoding
from ..engine.records import TrajectoryKSpace
from .reconstruct_fourier import reconstruction_grid

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    import torch
    from torch import Tensor

    from ..models.operators.nonuniform_fourier import NonuniformFourierOperator
    from ..models.operators.toeplitz import ToeplitzOperator


@dataclass(frozen=True, kw_only=True, eq=False)
class Gridding:
    """Made once for a trajectory; slices and repetitions mostly share theirs."""

    trajectory: NDArray[np.float32]
    """As it came."""
    encoding: Encoding
    inside: NDArray[np.bool_]
    """(readouts, samples) bool: samples that the reconstruction matrix resolves."""
    points: Tensor
    """(samples inside, 2 or 3) float32: k in cycles per pixel of the grid."""
    weights: Tensor
    """(samples inside,) float32: the areas of k-space that belong to them."""
    operator: NonuniformFourierOperator
    """From the grid, ([z,] y, x), to the samples inside."""
    width: int

    @classmethod
    def of(
        cls,
        message: TrajectoryKSpace,
        grid: Sequence[int],
        *,
        iterations: int,
        width: int,
        device: torch.device,
    ) -> Gridding:
        """Prepare the trajectory of a message for images of ([z,] y, x) pixels.

        Raises
        ------
        DataError
            The reconstruction matrix resolves none of its samples.
        """
        import torch

        from ..models.operators.density_compensation import iterative_compensation
        from ..models.operators.nonuniform_fourier import NonuniformFourierOperator

        encoding, dims = message.encoding, len(grid)
        encoded, coarser = encoding.encoded.matrix[:dims], reconstruction_grid(encoding)[::-1][:dims]
        scaled = message.trajectory * (np.array(encoded) / np.array(coarser)).astype(np.float32)
        inside: NDArray[np.bool_] = (np.abs(scaled) <= 0.5 + 1e-5).all(axis=2)
        if not inside.any():
            raise DataError(f"slice {message.key.slice}: no sample lies within the reconstruction matrix's resolution")
        points = torch.from_numpy(scaled[inside].clip(-0.5, 0.5)).to(device)
        return cls(
            trajectory=message.trajectory,
            encoding=encoding,
            inside=inside,
            points=points,
            weights=iterative_compensation(points, grid, iterations=iterations),
            operator=NonuniformFourierOperator(points, grid, width=width),
            width=width,
        )

    def is_for(self, message: TrajectoryKSpace) -> bool:
        """Whether a message has this trajectory and encoding."""
        return self.encoding == message.encoding and np.array_equal(self.trajectory, message.trajectory)

    def images(self, data: NDArray[np.complex64]) -> Tensor:
        """Grid k-space (coils, readouts, samples) to coil images (coils, [z,] y, x) complex64 on its device."""
        import torch

        samples = np.ascontiguousarray(data[:, self.inside])
        return self.operator.adjoint(torch.from_numpy(samples).to(self.weights.device) * self.weights)

    @cached_property
    def toeplitz(self) -> ToeplitzOperator:
        """The transform, its weights and its adjoint in one."""
        from ..models.operators.toeplitz import ToeplitzOperator

        return ToeplitzOperator(self.points, self.operator.grid, self.weights, width=self.width)

    @property
    def noise(self) -> float:
        """Standard deviation of the noise of a pixel of ``images`` over that of a sample."""
        return math.sqrt(float((self.weights.double() ** 2).sum()) / math.prod(self.operator.grid))

    @property
    def words(self) -> str:
        """What is to be said of samples that were left out, if any."""
        count = self.inside.size - int(np.count_nonzero(self.inside))
        return f", {count} samples beyond the resolution of the reconstruction matrix left out" if count else ""
