"""The cases that reconstructions are compared on, by the names of their data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import ConfigurationError
from ..models.evaluation.case import MASKS, Case, MaskName
from ..models.evaluation.real_case import real_case
from ..models.evaluation.simulated_cases import simulated_cases
from ..models.shared_data import read_images, shared_data
from .fully_sampled import fully_sampled_kspace

SIMULATED = "simulated"
"""Scans simulated from ``IMAGES``."""
IMAGES = "images/brains_val.h5"
"""Subjects that no shipped model was trained or validated on."""
SCANS = ("brain_t1_7ch", "phantom_16ch", "phantom_gre_2ch")
"""Fully sampled real scans: ``raw/NAME.h5`` of the shared data."""


@dataclass(frozen=True)
class Cases:
    """All cases of an evaluation, made as they are asked for.

    Raises
    ------
    ConfigurationError
        A name is not known, or data are missing.
    """

    data: Sequence[str]
    """``SIMULATED``, and names of ``SCANS``."""
    accelerations: Sequence[float]
    mask: str = "uniform"
    slices: int | None = None
    """Of the simulated ones, evenly spread over all; None for all."""

    def __post_init__(self) -> None:
        known = (SIMULATED, *SCANS)
        for name in self.data:
            if name not in known:
                raise ConfigurationError(f"no data are named {name!r}. Known: {', '.join(known)}")
        if self.mask not in MASKS:
            raise ConfigurationError(f"the mask is {self.mask!r}, expected {' or '.join(MASKS)}")
        if not all(r >= 1 for r in self.accelerations):
            raise ConfigurationError(f"accelerations are {list(self.accelerations)}, expected 1 or more each")

    def __len__(self) -> int:
        simulated = len(self._images()) if SIMULATED in self.data else 0
        return len(self.accelerations) * (simulated + sum(name != SIMULATED for name in self.data))

    def __iter__(self) -> Iterator[Case]:
        mask: MaskName = "equispaced" if self.mask == "equispaced" else "uniform"
        for name in self.data:
            for acceleration in self.accelerations:
                if name == SIMULATED:
                    yield from simulated_cases(self._images(), acceleration, mask=mask)
                else:
                    yield scan_case(name, acceleration, mask)

    def _images(self) -> NDArray[np.uint8]:
        try:
            images = read_images(IMAGES)
        except FileNotFoundError as error:
            raise ConfigurationError(str(error)) from None
        count = min(self.slices or len(images), len(images))
        chosen = np.linspace(0, len(images) - 1, count).round().astype(int)
        return np.ascontiguousarray(images[chosen])


def scan_case(name: str, acceleration: float, mask: MaskName = "uniform") -> Case:
    """Undersample a real scan of the shared data."""
    try:
        file = shared_data() / "raw" / f"{name}.h5"
    except FileNotFoundError as error:
        raise ConfigurationError(str(error)) from None
    return real_case(fully_sampled_kspace(file), acceleration, data=name, mask=mask)
