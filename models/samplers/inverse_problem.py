"""What samplers are given: linear measurements of unknown images, in the prior's unit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ..operators.linear_operator import LinearOperator


@dataclass(frozen=True)
class InverseProblem:
    """y = A x + sigma n for a batch of images x, n ~ N(0, 1) in the real part, and in the imaginary part if complex.

    The operator's norm is at most 1 (a SENSE operator of normalised maps): step sizes rely on it.
    """

    operator: LinearOperator
    """A: (batch, ...) images to measurements. Several samples of one slice are items of the batch like others."""
    y: Tensor
    """(batch, ...) measurements, in the unit of the prior; zero where not sampled."""
    sigma: float
    """Standard deviation of the noise of y in each part, in the unit of the prior."""
    shape: tuple[int, ...]
    """(batch, ...) of the images."""
    start: Tensor | None = None
    """(batch, ...) an image by another method, for those samplers that start at one."""
    calibration: Tensor | None = None
    """Bool, broadcastable to the k-space of an image (k = 0 at n // 2): what was sampled without gaps about its centre;
    for samplers that treat it apart."""

    def repeated(self, times: int) -> InverseProblem:
        """Return a problem of one item as one of several that are alike: for several samples of it."""
        shape = (times, *self.shape[1:])
        start = None if self.start is None else self.start.expand(shape)
        return replace(self, y=self.y.expand(times, *self.y.shape[1:]), shape=shape, start=start)

    def __len__(self) -> int:
        return self.shape[0]
