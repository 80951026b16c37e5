"""What travels only inside a chain: k-space and reconstructions, labelled instead of branched.

A perturbed copy of a scan is a second ``KSpace`` with another ``variant``; a second reconstruction of one slice is a
second ``Reconstruction`` with another ``method``. Gadgets that compare gather by ``key``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .messages import Message, MetaValue, NoiseState
from .mrd_header import Encoding

__all__ = ["CalibratedKSpace", "CoilImages", "KSpace", "Key", "NoiseState", "Reconstruction", "TrajectoryKSpace"]


class Key(NamedTuple):
    """Which image of a scan this is; images leave the engine in the order of their keys within a reconstruction."""

    encoding_space: int = 0
    repetition: int = 0
    set: int = 0
    phase: int = 0
    contrast: int = 0
    slice: int = 0
    average: int = 0
    segment: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class KSpace(Message):
    """The k-space of one image, gathered on the encoded grid."""

    key: Key
    data: NDArray[np.complex64]
    """(coils, kz, ky, kx) complex64, any strides; k=0 at index n // 2 of every axis; zero where nothing was acquired
    (but for the tails that removing oversampling leaves in the columns beside ``sampled_columns``)."""
    sampled: NDArray[np.bool_]
    """(kz, ky) bool: lines that were acquired."""
    header: NDArray[np.void]
    """() of ``ACQUISITION_DTYPE``: the line nearest the centre of k-space; geometry and times come from it."""
    encoding: Encoding
    calibration: NDArray[np.complex64] | None = None
    """(coils, kz, ky, kx) complex64 of the calibration lines on the same grid, or None."""
    calibration_sampled: NDArray[np.bool_] | None = None
    """(kz, ky) bool: lines of the calibration region."""
    sampled_columns: slice = field(default_factory=lambda: slice(None))
    """Columns (kx) that the readouts filled: fewer than all for an asymmetric echo."""
    noise: NoiseState = field(default_factory=NoiseState)
    complete: bool = True
    """False if fewer lines came than the scan's sampling promised; the rest is zero."""
    missing: int = 0
    """Lines that were promised and did not come."""
    readouts: int = 0
    """Readouts that went into it."""
    variant: str = "acquired"
    """``acquired``, or the perturbation that made this copy."""
    history: tuple[str, ...] = ()
    """Processing steps so far, in words."""
    meta: Mapping[str, MetaValue] = field(default_factory=lambda: MappingProxyType({}))
    """What later images should carry in their metadata."""


@dataclass(frozen=True, slots=True, eq=False)
class TrajectoryKSpace(Message):
    """The k-space of one image along its trajectories: spokes, spirals, anything."""

    key: Key
    data: NDArray[np.complex64]
    """(coils, readouts, samples) complex64, any strides, in the order of acquisition."""
    trajectory: NDArray[np.float32]
    """(readouts, samples, 2 or 3) float32: k along x, y [and z] in cycles per pixel of the encoded space, -0.5 to
    0.5."""
    header: NDArray[np.void]
    """() of ``ACQUISITION_DTYPE``: the readout in the middle of the acquisition; geometry and times come from it."""
    encoding: Encoding
    noise: NoiseState = field(default_factory=NoiseState)
    complete: bool = True
    """False if fewer readouts came than the encoding limits promised."""
    missing: int = 0
    """Readouts that were promised and did not come."""
    variant: str = "acquired"
    """``acquired``, or the perturbation that made this copy."""
    history: tuple[str, ...] = ()
    """Processing steps so far, in words."""
    meta: Mapping[str, MetaValue] = field(default_factory=lambda: MappingProxyType({}))
    """What later images should carry in their metadata."""

    @property
    def readouts(self) -> int:
        """Readouts that went into it."""
        return len(self.trajectory)


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedKSpace(Message):
    """K-space with the coil sensitivity maps that belong to it: what SENSE-like reconstructions start from."""

    kspace: KSpace
    """On the encoded grid."""
    sensitivities: NDArray[np.complex64]
    """(coils, z, y, x) complex64 on the grid of ``reconstruction_grid``; over coils their squares sum to 1, or to 0
    where there is no signal to see coils by."""
    method: str
    """How the maps were made, e.g. ``espirit``."""
    history: tuple[str, ...] = ()
    worst_change: NDArray[np.complex64] | None = None
    """(slices, coils, ky, kx) complex64: for each slice or partition the change of the samples that was found to change
    the image most, of the reconstruction that ``EchotrainSensitivityModel`` of the k-space's metadata names."""


@dataclass(frozen=True, slots=True, eq=False)
class CoilImages(Message):
    """One complex image per coil."""

    kspace: KSpace | TrajectoryKSpace
    """The k-space that they were reconstructed from, with key, header, encoding, noise state and labels."""
    data: NDArray[np.complex64]
    """(coils, z, y, x) complex64 on the reconstruction grid."""
    method: str
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction(Message):
    """One finished image (or map) before it gets its MRD header."""

    key: Key
    data: NDArray[Any]
    """(channels, z, y, x): complex64, float32 or int16; units in ``unit``."""
    header: NDArray[np.void]
    """() of ``ACQUISITION_DTYPE``, as in ``KSpace``."""
    encoding: Encoding
    method: str
    """How it was made, e.g. ``fourier+rss``: one series per (variant, method, quantity)."""
    quantity: str = "magnitude"
    """``magnitude``, ``complex`` or the name of a quantitative map."""
    unit: str = "a.u."
    variant: str = "acquired"
    sample: tuple[int, int] | None = None
    """Number, from 1, and how many there are, where it is one of several samples that a method drew of this image."""
    history: tuple[str, ...] = ()
    meta: Mapping[str, MetaValue] = field(default_factory=lambda: MappingProxyType({}))
