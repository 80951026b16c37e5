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

from ..calibration_maps import espirit_kernel
from ..calibration_region import calibration_region
from ..coils.espirit import espirit_maps
from ..fourier import centre
from ..measurements import Measurements
from ..random_masks import equispaced_lines, uniform_lines
from ..sampling_masks import Mask

MaskName = Literal["uniform", "equispaced"]
MASKS: Mapping[MaskName, Callable[[int, float, np.random.Generator], Mask]] = MappingProxyType(
    {"uniform": uniform_lines, "equispaced": equispaced_lines}
)
"""``uniform``: the mask of figures on real scans; ``equispaced``: regular, for methods that need that (GRAPPA)."""
_CALIBRATION = 24  # lines and columns at most from which maps are estimated


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


def undersampled(kspace: NDArray[np.complex64], mask: Mask, noise: float | None = None) -> Measurements:
    """Undersample one slice, and estimate the maps from what is left: ESPIRiT of the fully sampled lines about k = 0.

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
    lines = calibration_region(mask[None])[1]
    count = min(_CALIBRATION, lines.stop - lines.start)
    maps = maps_of(left.numpy()[0], count)
    return Measurements(left, torch.from_numpy(mask)[None, None, :, None], maps, noise)


def maps_of(kspace: NDArray[np.complex64], lines: int = _CALIBRATION) -> Tensor:
    """Return ESPIRiT maps (1, coils, y, x) from the lines about k = 0 of one slice (coils, ky, kx)."""
    region = np.ascontiguousarray(centre(kspace, (len(kspace), lines, min(_CALIBRATION, kspace.shape[2]))))
    return espirit_maps(torch.from_numpy(region)[None], kspace.shape[1:], kernel=espirit_kernel(lines))[0]
