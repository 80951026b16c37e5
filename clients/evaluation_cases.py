"""The cases that reconstructions are compared on, by the names of their data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import ConfigurationError
from ..models.evaluation.case import MASKS, Case, MaskName
from ..models.evaluation.real_case import real_case
from ..models.evaluation.simulated_cases import simulated_case
from ..models.shared_data import read_images, shared_data
from .fully_sampled import fully_sampled_kspace

SIMULATED = "simulated"
"""Scans simulated from ``IMAGES``."""
IMAGES = "images/brains_val.h5"
"""Subjects that no shipped model was trained or validated on."""
SCANS = ("brain_t1_7ch", "phantom_16ch", "phantom_gre_2ch")
"""Fully sampled real scans: ``raw/NAME.h5`` of the shared data."""
ACCELERATIONS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {SIMULATED: (4, 8), "brain_t1_7ch": (4, 8), "phantom_16ch": (2, 4), "phantom_gre_2ch": (2, 4)}
)
"""That data are evaluated at by default: little is left of a scan by 2 coils at R = 8, whatever reconstructs it."""


@dataclass(frozen=True)
class Planned:
    """A case that is not made yet, which takes a second."""

    data: str
    mask: MaskName
    acceleration: float
    number: int
    """Of the slice in its data."""
    make: Callable[[], Case]


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
    accelerations: Sequence[float] | None = None
    """None: as ``ACCELERATIONS`` has them."""
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
        if not all(r >= 1 for r in self.accelerations or ()):
            raise ConfigurationError(f"accelerations are {self.accelerations}, expected 1 or more each")

    def planned(self) -> Iterator[Planned]:
        """Yield what there is to be made; a simulated slice is the same however many there are."""
        mask: MaskName = "equispaced" if self.mask == "equispaced" else "uniform"
        for name in self.data:
            for acceleration in self.accelerations or ACCELERATIONS[name]:
                if name == SIMULATED:
                    for number in self._numbers():
                        make = partial(simulated_case, self._images[number], number, acceleration, mask=mask)
                        yield Planned(name, mask, acceleration, number, make)
                else:
                    yield Planned(name, mask, acceleration, 0, partial(scan_case, name, acceleration, mask))

    def __iter__(self) -> Iterator[Case]:
        for planned in self.planned():
            yield planned.make()

    def __len__(self) -> int:
        return sum(1 for _ in self.planned())

    @cached_property
    def _images(self) -> NDArray[np.uint8]:
        try:
            return read_images(IMAGES)
        except FileNotFoundError as error:
            raise ConfigurationError(str(error)) from None

    def _numbers(self) -> list[int]:
        count = min(self.slices or len(self._images), len(self._images))
        chosen: list[int] = np.linspace(0, len(self._images) - 1, count).round().astype(int).tolist()
        return chosen


def scan_case(name: str, acceleration: float, mask: MaskName = "uniform") -> Case:
    """Undersample a real scan of the shared data."""
    try:
        file = shared_data() / "raw" / f"{name}.h5"
    except FileNotFoundError as error:
        raise ConfigurationError(str(error)) from None
    return real_case(fully_sampled_kspace(file), acceleration, data=name, mask=mask)
