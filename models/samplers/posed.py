"""From measurements to what samplers are given, in the prior's unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from ..classical.cg_sense import CGSense
from ..classical.zero_filled import brightness
from ..measurements import Measurements, Reconstructor
from ..noise_level import estimated_noise
from ..operators.linear_operator import LinearOperator
from ..operators.slicewise import Slicewise
from ..partitions import as_slices, partitions_alike
from .inverse_problem import InverseProblem

_LEAST_NOISE = 1e-3
"""In the prior's unit: no scan, and no coil map, is better than a thousandth of the image."""


@dataclass(frozen=True)
class Posed:
    """A scan as a problem for samplers."""

    problem: InverseProblem
    """Of one item; ``repeated`` for several samples."""
    scale: float
    """Of the prior's unit, in that of k-space: what samples are to be multiplied by."""
    noise: float
    """Standard deviation of the complex noise of a k-space sample that was assumed, in the unit of k-space."""
    estimated: bool
    """Whether that was estimated from the scan, for want of a noise measurement."""


def pose(measurements: Measurements, start: Reconstructor | None = None) -> Posed:
    """Make a problem of one slice, or of one volume.

    The intensity is that of a CG-SENSE image. Its noise makes it a little too high, its regularisation a little too
    low; priors are trained for some per cent of either.

    Parameters
    ----------
    measurements
        One slice, (1, coils, ky, kx), or one volume, (1, coils, kz, ky, kx).
    start
        Reconstructs what hot starts begin at, volumes slice by slice; None for the CG-SENSE image.

    Raises
    ------
    ValueError
        There are several slices, no signal, or values that are not finite, in what is measured or in the start; or
        slices of a volume, that are to be reconstructed one by one, were not measured alike.
    """
    if len(measurements) != 1:
        raise ValueError(f"got {len(measurements)} slices, expected one: each has its own intensity and noise level")
    image = CGSense()(measurements)
    scale = float(brightness(image))
    if not image.isfinite().all():
        raise ValueError("k-space or maps hold values that are not finite")
    if not image.abs().amax() > 0:
        raise ValueError("there is no signal: k-space, or every coil map, is zero")
    if start is not None:
        slices = as_slices(measurements) if image.ndim == 4 else measurements
        image = start(slices).reshape(image.shape)
        if not image.isfinite().all():
            raise ValueError("the image to start at holds values that are not finite")
    operator, y = _measured(measurements)
    noise = estimated_noise(measurements) if measurements.noise is None else measurements.noise
    problem = InverseProblem(
        operator=operator,
        y=y / scale,
        sigma=max(noise / math.sqrt(2) / scale, _LEAST_NOISE),
        shape=tuple(image.shape),
        start=image / scale,
        calibration=calibration_mask(measurements),
    )
    return Posed(problem, scale, noise, measurements.noise is None)


def _measured(measurements: Measurements) -> tuple[LinearOperator, Tensor]:
    """Return A and y; slices of a volume that were measured alike one by one, in a fraction of time and memory."""
    if measurements.kspace.ndim == 5 and partitions_alike(measurements):
        slices = as_slices(measurements)
        return Slicewise(slices.operator()), slices.kspace[None]
    return measurements.operator(), measurements.kspace


def calibration_mask(measurements: Measurements) -> Tensor | None:
    """Return the lines about the centre of k-space that were sampled without gaps, bool (1, [kz,] ky, 1); None of none.

    Parameters
    ----------
    measurements
        One slice or volume.
    """
    mask = measurements.mask[0, 0]
    lines = mask.movedim(-2, 0).flatten(1).all(dim=1)  # (ky,)
    centre = len(lines) // 2
    if not lines[centre]:
        return None
    gaps = (~lines).nonzero().flatten()
    low = int(gaps[gaps < centre].max()) + 1 if (gaps < centre).any() else 0
    high = int(gaps[gaps > centre].min()) if (gaps > centre).any() else len(lines)
    region = lines.new_zeros(len(lines))
    region[low:high] = True
    return region.view(1, *(1,) * (mask.ndim - 2), -1, 1)
