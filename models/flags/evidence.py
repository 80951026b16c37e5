"""What flags are raised from: one slice's measurements, and what several methods made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..measurements import Measurements
from ..noise_level import estimated_noise

Complex = NDArray[np.complex64]
Real = NDArray[np.float32]
Search = Callable[[Measurements], Complex]
"""One slice to its ``Evidence.worst_change``."""
_BODY = 0.1  # of the brightest pixel: what is above counts as body


@dataclass(frozen=True)
class Evidence:
    """One slice: measurements, images by methods of different kind, and what else is known of them.

    Nothing here needs the truth. Features are functions of it; what several of them need is computed once.

    Raises
    ------
    ValueError
        Measurements are no single slice, or an image is of another shape.
    """

    measurements: Measurements
    """A batch of one slice, on the CPU."""
    judged: Complex
    """(y, x) the image that flags are about, in the unit of k-space, on the grid of the maps."""
    conventional: Complex
    """(y, x) CG-SENSE's image, that nothing is invented in."""
    others: Mapping[str, Complex] = field(default_factory=lambda: MappingProxyType({}))
    """Images by more methods, each (y, x)."""
    deviation: Real | None = None
    """(y, x) standard deviation over samples of a posterior, where samples were drawn."""
    sensitivity: float | None = None
    """Over random noise, by how much more this scan's image is changed by the worst perturbation found."""
    worst_change: Complex | None = None
    """(coils, ky, kx) that perturbation, of any norm, see ``sensitivity``."""

    def __post_init__(self) -> None:
        kspace = self.measurements.kspace
        if kspace.ndim != 4 or len(kspace) != 1:
            raise ValueError(
                f"k-space is {tuple(kspace.shape)}, expected (1, coils, ky, kx): flags are about one slice"
            )
        images: dict[str, NDArray[Any]] = {"judged": self.judged, "conventional": self.conventional, **self.others}
        if self.deviation is not None:
            images["deviation"] = self.deviation
        for name, image in images.items():
            if image.shape != kspace.shape[2:]:
                raise ValueError(f"{name} is {image.shape}, expected {tuple(kspace.shape[2:])} as k-space has it")
        if self.worst_change is not None and self.worst_change.shape != tuple(kspace.shape[1:]):
            raise ValueError(f"the worst change is {self.worst_change.shape}, expected {tuple(kspace.shape[1:])}")

    @cached_property
    def noise(self) -> float:
        """Standard deviation of a sample's complex noise: measured, else estimated; never 0."""
        known = self.measurements.noise
        level = estimated_noise(self.measurements) if known is None else known
        return level or float(torch.finfo(torch.float32).tiny)

    @cached_property
    def kspace(self) -> Complex:
        """(coils, ky, kx) as measured, in units of the noise; zero where not sampled."""
        return self._numbers(self.measurements.kspace)

    @cached_property
    def sampled(self) -> NDArray[np.bool_]:
        """(ky, kx)."""
        mask = self.measurements.mask[0, 0]
        return np.asarray(mask.expand(self.measurements.kspace.shape[2:]))

    @cached_property
    def acceleration(self) -> float:
        """Grid points over sampled ones."""
        return float(self.measurements.acceleration())

    @cached_property
    def image_noise(self) -> float:
        """Standard deviation of an unfolded image's noise but for the geometry factor, in the unit of k-space."""
        return self.noise * float(np.sqrt(self.acceleration))

    @cached_property
    def body(self) -> NDArray[np.bool_]:
        """(y, x): where CG-SENSE sees signal, and what that encloses; some pixel always."""
        magnitude = np.abs(self.conventional)
        return np.asarray(ndimage.binary_fill_holes(magnitude >= _BODY * magnitude.max()), np.bool_)

    @cached_property
    def residuals(self) -> Mapping[str, Complex]:
        """A x - y of the judged and the conventional image: (coils, ky, kx) in units of the noise."""
        operator = self.measurements.operator()
        return {
            name: self._numbers(operator(torch.from_numpy(image)[None]) - self.measurements.kspace)
            for name, image in (("judged", self.judged), ("conventional", self.conventional))
        }

    @cached_property
    def misfit(self) -> Complex:
        """A^H (A x - y) of the judged image: (y, x) where in the image k-space contradicts it, in units of noise.

        Where x is the truth it is noise, of a standard deviation of 1 at most.
        """
        residual = torch.from_numpy(self.residuals["judged"])[None]
        shown = self.measurements.operator().adjoint(residual)[0].numpy()
        return np.asarray(shown * np.sqrt(self.acceleration), np.complex64)

    def _numbers(self, kspace: Tensor) -> Complex:
        return np.asarray((kspace[0] / self.noise).numpy(), np.complex64)
