"""Compressed sensing with total variation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..measurements import Measurements
from ..operators.finite_differences import FiniteDifferences
from ..operators.proximal import clipped
from .fista import fista
from .zero_filled import brightness


@dataclass(frozen=True, kw_only=True)
class TotalVariation:
    """Minimise ||A x - y||^2 / 2 + weight TV(x): flat regions with sharp edges. Slices, or volumes in all directions.

    TV is the isotropic one of the complex image: the sum over pixels of the Euclidean norm of their differences.
    K. T. Block et al., Magn. Reson. Med. 57, 1086 (2007), by FISTA with the dual method for the proximal map:
    A. Beck and M. Teboulle, IEEE Trans. Image Process. 18, 2419 (2009).
    """

    weight: float = 0.004
    """Relative to the zero-filled image's ``brightness``."""
    iterations: int = 60
    inner_iterations: int = 3
    """Steps of the dual method in each iteration; they go on where those of the last iteration ended."""

    def __call__(self, measurements: Measurements, /) -> Tensor:
        """Reconstruct: (batch, [z,] y, x) complex64."""
        operator = measurements.operator()
        rhs = operator.adjoint(measurements.kspace)
        unit = brightness(rhs)
        axes = tuple(range(1 - rhs.ndim, 0))
        denoiser = TotalVariationDenoiser(axes, self.weight, self.inner_iterations)
        return unit * fista(operator.normal, rhs / unit, denoiser, iterations=self.iterations)


class TotalVariationDenoiser:
    """Proximal map of the total variation, better with every call on images that change little.

    The minimum of ||x - v||^2 / 2 + weight TV(x) is v - D^H u for the field u of vectors, none longer than the weight,
    that makes it shortest. Projected gradient steps with momentum find u; each call starts from the last one's u.

    Parameters
    ----------
    axes
        Of space, from the end: (-2, -1) for slices, (-3, -2, -1) for volumes.
    weight
        In the unit of the image.
    iterations
        Steps a call.
    """

    def __init__(self, axes: tuple[int, ...], weight: float, iterations: int) -> None:
        self._differences = FiniteDifferences(axes)
        self._directions = axes[0] - 1  # the axis along which the differences of a pixel lie
        self._step = 1 / (4 * len(axes))  # the norm of differences along one axis is below 2
        self._weight = weight
        self._iterations = iterations
        self._field: Tensor | None = None

    def __call__(self, image: Tensor) -> Tensor:
        """Denoise (..., [z,] y, x)."""
        differences = self._differences
        field = torch.zeros_like(differences(image)) if self._field is None else self._field
        ahead, t = field, 1.0
        for _ in range(self._iterations):
            uphill = differences(image - differences.adjoint(ahead))
            before, field = field, clipped(torch.add(ahead, uphill, alpha=self._step), self._weight, self._directions)
            t_before, t = t, (1 + math.sqrt(1 + 4 * t**2)) / 2
            ahead = torch.add(field, field - before, alpha=(t_before - 1) / t)
        self._field = field
        return image - differences.adjoint(field)
