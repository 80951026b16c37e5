"""The slices that a study is made on: simulated from magnitude images, or of scans that somebody brings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..evaluation.case import Case, MaskName
from ..evaluation.real_case import real_case, reference_image
from ..evaluation.simulated_cases import COILS, SNR, simulated_cases
from ..networks.network import image_scale
from ..simulation.random_phase import random_phase
from ..uncertainty.calibration_cases import resampled


class Slices(Protocol):
    """Numbered slices, each a function of its number alone."""

    @property
    def label(self) -> str:
        """What they are, in words."""
        ...

    def __len__(self) -> int: ...

    def digest(self) -> str:
        """Return what tells them from other slices."""
        ...

    def case(self, number: int, acceleration: float, mask: MaskName = "uniform") -> Case:
        """Return the undersampled scan of a slice, at the same noise whatever the acceleration."""
        ...

    def image(self, number: int) -> Tensor:
        """Return the fully sampled image of a slice, (1, y, x) complex64, in the unit of priors (``image_scale``)."""
        ...


@dataclass(frozen=True, eq=False)
class SimulatedScans:
    """Scans that are simulated from magnitude images: noise-free truth is known; figures on them are optimistic."""

    label: str
    images: NDArray[np.uint8]
    """(N, y, x)."""
    seed: int = 0

    def __len__(self) -> int:
        return len(self.images)

    def digest(self) -> str:
        """Return a hash of images and seed."""
        return hashlib.sha256(self.images.tobytes() + bytes([self.seed])).hexdigest()[:16]

    def case(
        self, number: int, acceleration: float, mask: MaskName = "uniform", *, coils: int = COILS, snr: float = SNR
    ) -> Case:
        """Simulate a scan, see ``simulated_cases``."""
        one = self.images[number : number + 1]
        return next(simulated_cases(one, acceleration, mask=mask, seed=self._seed_of(number), coils=coils, snr=snr))

    def image(self, number: int) -> Tensor:
        """Return an image with a random phase of its own."""
        rng = np.random.default_rng(self._seed_of(number))
        pixels = self.images[number].astype(np.float32) / 255 * random_phase(self.images.shape[1:], rng)
        return _in_unit(torch.from_numpy(pixels.astype(np.complex64)))

    def _seed_of(self, number: int) -> int:
        return int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])


@dataclass(frozen=True, eq=False)
class RealScans:
    """Fully sampled real scans, undersampled afterwards. What they are compared with has noise of its own."""

    label: str
    kspaces: Sequence[NDArray[np.complex64]]
    """(coils, ky, kx) each, without readout oversampling."""

    def __len__(self) -> int:
        return len(self.kspaces)

    def digest(self) -> str:
        """Return a hash of the k-space."""
        return hashlib.sha256(b"".join(kspace.tobytes() for kspace in self.kspaces)).hexdigest()[:16]

    def case(self, number: int, acceleration: float, mask: MaskName = "uniform") -> Case:
        """Undersample a scan, see ``real_case``."""
        return real_case(self.kspaces[number], acceleration, data=self.label, mask=mask)

    def image(self, number: int) -> Tensor:
        """Return the image of all of k-space, noise included."""
        return _in_unit(reference_image(self.kspaces[number]))


def spread(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Choose images (N, y, x) evenly, at most N, none twice; few of them without the ends, which hold little brain."""
    inside = count <= len(images) - 2
    places = np.linspace(0, len(images) - 1, count + 2)[1:-1] if inside else np.arange(len(images))[:count]
    chosen = places.round().astype(int)
    return np.ascontiguousarray(images[chosen])


def spread_slices(images: NDArray[np.uint8], count: int, matrix: int) -> NDArray[np.uint8]:
    """Choose slices as ``spread``, at the lower resolution of a matrix.

    Parameters
    ----------
    images
        (N, y, x).
    count
        How many, at most N.
    matrix
        Pixels a side.
    """
    return np.stack([resampled(image, (matrix, matrix)) for image in spread(images, count)])


def _in_unit(image: Tensor) -> Tensor:
    return image[None] / image_scale(image[None])
