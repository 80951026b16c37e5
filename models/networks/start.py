"""The image that a network starts from."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ..measurements import Measurements
from .network import image_scale
from .tikhonov import nearest_consistent

Start = Literal["zero_filled", "sense"]
"""``zero_filled``: A^H y, as the papers have it, which have one coil. ``sense``: the minimiser of
``norm(A x - y)^2 + norm(x)^2 / 50`` by conjugate gradients, which has unfolded what several coils can unfold."""

_WEIGHT = 0.02  # of norm(x)^2; norm(A) is at most 1
_ITERATIONS = 15


def starting_image(measurements: Measurements, start: Start) -> Tensor:
    """Return the image that a network starts from, (batch, y, x) complex64, differentiable.

    Parameters
    ----------
    measurements
        Single slices.
    start
        How it is made.
    """
    zero_filled = measurements.zero_filled()
    if start == "zero_filled":
        return zero_filled
    scale = image_scale(zero_filled)  # sums of squares of raw data may leave single precision
    nothing, weight = zero_filled.new_zeros(zero_filled.shape), scale.new_tensor(_WEIGHT)
    return scale * nearest_consistent(measurements.operator(), zero_filled / scale, nothing, weight, _ITERATIONS)
