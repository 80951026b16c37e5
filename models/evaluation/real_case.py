"""A case from a fully sampled real scan, undersampled afterwards."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..measurements import Measurements
from .case import MASKS, Case, MaskName, maps_of, undersampled

_SEED = 0


def real_case(kspace: NDArray[np.complex64], acceleration: float, *, data: str, mask: MaskName = "uniform") -> Case:
    """Undersample a fully sampled slice; the reference is its coil images, combined with its own ESPIRiT maps.

    Parameters
    ----------
    kspace
        (coils, ky, kx) complex64, fully sampled, without readout oversampling.
    acceleration
        R, all lines counted.
    data
        Name of the scan.
    mask
        Kind of undersampling; the uniform one is drawn with seed 0, by which figures on real scans are quoted.

    Raises
    ------
    ValueError
        The scan is too small for ESPIRiT.
    """
    lines = MASKS[mask](kspace.shape[1], acceleration, np.random.default_rng(_SEED))
    return Case(data, acceleration, mask, undersampled(kspace, lines), reference_image(kspace).abs()[None])


def reference_image(kspace: NDArray[np.complex64]) -> Tensor:
    """Combine the coil images of fully sampled k-space (coils, ky, kx) by its ESPIRiT maps: (y, x) complex64."""
    data = torch.from_numpy(kspace)[None]
    everything = torch.ones(1, 1, kspace.shape[1], 1, dtype=torch.bool)
    return Measurements(data, everything, maps_of(data, everything)).zero_filled()[0]
