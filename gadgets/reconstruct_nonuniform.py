"""Coil images of radial, spiral and other scans by gridding."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..engine.errors import DataError
from ..engine.gadget import Context, Gadget
from ..engine.mrd_header import Encoding
from ..engine.records import CoilImages, TrajectoryKSpace
from ._device import device_of
from .reconstruct_fourier import reconstruction_grid

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from torch import Tensor

    from ..models.operators.nonuniform_fourier import NonuniformFourierOperator


class _Gridding(NamedTuple):
    """What one trajectory needs; slices and repetitions mostly share theirs."""

    trajectory: NDArray[np.float32]
    encoding: Encoding
    inside: NDArray[np.bool_]
    """(readouts, samples) bool: samples that the reconstruction matrix resolves."""
    operator: NonuniformFourierOperator
    weights: Tensor
    """(samples inside,) float32."""
    noise: float
    """Standard deviation of a pixel's noise over that of a sample."""


@dataclass(kw_only=True)
class ReconstructNonuniform(Gadget[TrajectoryKSpace, CoilImages]):
    """Transform k-space along trajectories to coil images: the adjoint nonuniform Fourier transform.

    Samples are weighted by one over their density, found by iteration (Pipe 1999). Images lie on the reconstruction
    matrix; samples beyond what it resolves are left out. Prewhitened data give images in SNR units.
    """

    heavy: ClassVar[bool] = True

    iterations: Annotated[int, Field(ge=1, le=200)] = 20
    """Steps of the density compensation."""
    width: Annotated[int, Field(ge=3, le=8)] = 6
    """Points of the interpolation kernel along each axis: 4 is right to about 1e-3, 6 to 1e-5."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _last: _Gridding | None = field(init=False, default=None)

    def start(self, context: Context) -> None:
        """Load the numerics: the first image would wait for them."""
        from ..models.operators import density_compensation  # noqa: F401

        device_of(self.device)

    def receive(self, message: TrajectoryKSpace) -> Iterable[CoilImages]:
        """Reconstruct one image per coil."""
        import torch

        if not np.isfinite(message.data).all():
            raise DataError(
                f"slice {message.key.slice}: k-space holds values that are not finite, expected finite samples; "
                "check_readouts, earlier in the chain, finds the readouts"
            )
        gridding = self._gridding(message)
        samples = np.ascontiguousarray(message.data[:, gridding.inside])
        weighted = torch.from_numpy(samples).to(gridding.weights.device) * gridding.weights
        images = gridding.operator.adjoint(weighted).cpu().numpy()
        step = f"reconstruct_nonuniform: gridding, density compensated in {self.iterations} steps"
        left_out = gridding.inside.size - int(np.count_nonzero(gridding.inside))
        if left_out:
            step += f", {left_out} samples beyond the resolution of the reconstruction matrix left out"
        if message.noise.prewhitened:
            images /= np.float32(gridding.noise)
            step += ", scaled to SNR units"
        if images.ndim == 3:
            images = images[:, np.newaxis]
        return (CoilImages(message, images, "gridding", (*message.history, step)),)

    def _gridding(self, message: TrajectoryKSpace) -> _Gridding:
        """Prepare a trajectory, or take what the one before needed."""
        import torch

        from ..models.operators.density_compensation import iterative_compensation
        from ..models.operators.nonuniform_fourier import NonuniformFourierOperator

        last, encoding = self._last, message.encoding
        if last is not None and last.encoding == encoding and np.array_equal(last.trajectory, message.trajectory):
            return last
        dims = message.trajectory.shape[2]
        encoded, coarser = encoding.encoded.matrix[:dims], reconstruction_grid(encoding)[::-1][:dims]
        scaled = message.trajectory * (np.array(encoded) / np.array(coarser)).astype(np.float32)
        inside: NDArray[np.bool_] = (np.abs(scaled) <= 0.5 + 1e-5).all(axis=2)
        if not inside.any():
            raise DataError(f"slice {message.key.slice}: no sample lies within the reconstruction matrix's resolution")
        points = torch.from_numpy(scaled[inside].clip(-0.5, 0.5)).to(device_of(self.device))
        grid = encoding.recon.matrix[:dims][::-1]
        weights = iterative_compensation(points, grid, iterations=self.iterations)
        noise = (float((weights.double() ** 2).sum()) / math.prod(grid)) ** 0.5
        operator = NonuniformFourierOperator(points, grid, width=self.width)
        self._last = _Gridding(message.trajectory, encoding, inside, operator, weights, noise)
        return self._last
