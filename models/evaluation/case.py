"""A case: measurements, and what a reconstruction of them is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..coils.calibration import calibration_kspace
from ..coils.covering_maps import covering_maps
from ..coils.espirit import espirit_kernel
from ..measurements import Measurements
from ..simulation.random_masks import equispaced_lines, uniform_lines
from ..simulation.sampling_masks import Mask

MaskName = Literal["uniform", "equispaced"]
MASKS: Mapping[MaskName, Callable[[int, float, np.random.Generator], Mask]] = MappingProxyType(
    {"uniform": uniform_lines, "equispaced": equispaced_lines}
)
"""``uniform``: the mask of figures on real scans; ``equispaced``: regular, for methods that need that (GRAPPA)."""


@dataclass(frozen=True)
class Case:
    """Some slices of one data set at one acceleration."""

    data: str
    """What it is, e.g. ``simulated brains_val``."""
    acceleration: float
    """R that was asked for."""
    mask: MaskName
    measurements: Measurements
    reference: Tensor
    """(batch, y, x) real magnitude, any unit."""
    number: int = 0
    """Of the first slice in its data."""


def undersampled(kspace: NDArray[np.complex64], mask: Mask, noise: float | None = None) -> Measurements:
    """Undersample one slice, and estimate the maps from what is left.

    Parameters
    ----------
    kspace
        (coils, ky, kx) complex64, fully sampled.
    mask
        (ky,) bool.
    noise
        As ``Measurements`` has it.

    Raises
    ------
    ValueError
        There are too few lines about k = 0 for ESPIRiT.
    """
    left = torch.from_numpy(kspace * mask[:, None])[None]
    sampled = torch.from_numpy(mask)[None, None, :, None]
    return Measurements(left, sampled, maps_of(left, sampled), noise)


def maps_of(kspace: Tensor, mask: Tensor) -> Tensor:
    """Return ESPIRiT maps from the fully sampled centre, 24 x 24 points at most, of k-space and mask as measured."""
    calibration = calibration_kspace(kspace, mask)
    kernel = espirit_kernel(min(calibration.shape[2:]))
    return covering_maps(calibration, kspace.shape[2:], kernel=kernel)[0]
