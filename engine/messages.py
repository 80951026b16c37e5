"""What travels between a client and the engine, whatever carries it.

Every message is frozen. Arrays inside a message must not be written to once it is sent; a gadget that changes samples
makes new ones. The records that live only inside a chain are in ``records``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

MetaValue = str | tuple[str, ...]
"""A value of an image's metadata: one text, or several under one name."""


@dataclass(frozen=True, slots=True)
class Message:
    """Base of everything that a session carries."""


@dataclass(frozen=True, slots=True)
class ConfigName(Message):
    """Asks for a chain that is installed at the engine."""

    name: str


@dataclass(frozen=True, slots=True)
class ConfigText(Message):
    """Brings a chain's own TOML text."""

    text: str


@dataclass(frozen=True, slots=True)
class Parameters(Message):
    """Names another chain and sets fields of gadgets; over MRD/TCP it is the JSON text right after the header."""

    config: str | None = None
    """Name of the chain to use instead."""
    overrides: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """``"gadget.field"`` -> value, applied to the chain before it is built."""


@dataclass(frozen=True, slots=True)
class Header(Message):
    """The scan's MRD XML header as received; ``mrd_header.parse_header`` reads it."""

    xml: bytes


@dataclass(frozen=True, slots=True)
class NoiseState:
    """What is known of the noise in the samples."""

    prewhitened: bool = False
    """True once coils are decorrelated and every real and imaginary part has unit variance (SNR units)."""
    source: str = "none"
    """Where the covariance came from: ``none``, ``this scan``, or ``measurement NAME``."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What gadgets have done to readouts; a block from a client has the default.

    A gadget that changes samples uses ``dataclasses.replace``, so that this stays with them.
    """

    noise: NoiseState = NoiseState()
    columns: int | None = None
    """Length of the readout grid once oversampling is removed; then k=0 is at ``columns // 2``, and ``discard_pre`` and
    ``discard_post`` count columns that hold no acquired sample. None: the encoded grid."""
    history: tuple[str, ...] = ()
    """Processing steps so far, in words."""
    variant: str = "acquired"
    """``acquired``, or the perturbation that made this copy of the scan: gadgets that gather keep variants apart."""
    meta: Mapping[str, MetaValue] = field(default_factory=lambda: MappingProxyType({}))
    """What later images should carry in their metadata."""


@dataclass(frozen=True, slots=True, eq=False)
class Readouts(Message):
    """A block of N consecutive readouts of one shape. Block edges carry no meaning."""

    headers: NDArray[np.void]
    """(N,) of ``mrd_layout.ACQUISITION_DTYPE``."""
    samples: NDArray[np.complex64]
    """(N, coils, samples) complex64, arbitrary units; may be an unaligned view of a receive buffer."""
    trajectory: NDArray[np.float32] | None = None
    """(N, samples, dims) float32, or None for Cartesian readouts."""
    prepared: Preparation = Preparation()
    """What was done to the samples inside the chain; never travels."""

    def __len__(self) -> int:
        return len(self.headers)

    def __getitem__(self, which: slice | NDArray[Any]) -> Readouts:
        """Return the chosen readouts as a block of their own."""
        trajectory = None if self.trajectory is None else self.trajectory[which]
        return Readouts(self.headers[which], self.samples[which], trajectory, self.prepared)

    @property
    def nbytes(self) -> int:
        """Bytes of headers, samples and trajectory."""
        trajectory = 0 if self.trajectory is None else self.trajectory.nbytes
        return self.headers.nbytes + self.samples.nbytes + trajectory


@dataclass(frozen=True, slots=True, eq=False)
class Waveform(Message):
    """One piece of a physiological waveform (ECG, respiration, external)."""

    header: NDArray[np.void]
    """() of ``mrd_layout.WAVEFORM_DTYPE``."""
    samples: NDArray[np.uint32]
    """(channels, samples) uint32, in the device's own units."""


@dataclass(frozen=True, slots=True, eq=False)
class Image(Message):
    """One image as MRD has it: header, metadata and pixels."""

    header: NDArray[np.void]
    """() of ``mrd_layout.IMAGE_DTYPE``; matrix size, channels and data type agree with ``pixels``."""
    pixels: NDArray[Any]
    """(channels, z, y, x), one of MRD's eight dtypes; units as the metadata say."""
    meta: Mapping[str, MetaValue] = field(default_factory=lambda: MappingProxyType({}))
    """Metadata (MRD MetaContainer): series description, comments, windows, provenance ..."""


@dataclass(frozen=True, slots=True, eq=False)
class Array(Message):
    """An n-dimensional array beside the images (MRD NDARRAY)."""

    data: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Text(Message):
    """A line for the log or for the scanner's console; DBG, WRN or ERR at its start colour it there."""

    text: str


@dataclass(frozen=True, slots=True)
class Query(Message):
    """A question to the engine outside the stream."""

    correlation: int
    text: str


@dataclass(frozen=True, slots=True)
class Response(Message):
    """The answer to the query with the same correlation number."""

    correlation: int
    text: str


@dataclass(frozen=True, slots=True)
class Progress(Message):
    """How far a slow step has come; goes to clients that understand it (ZeroMQ)."""

    gadget: str
    done: int
    total: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Fault(Message):
    """An error as it travels: the session ends after it."""

    code: str
    text: str
    gadget: str | None = None
    message_number: int | None = None


@dataclass(frozen=True, slots=True)
class Close(Message):
    """From the client: no more data. From the engine: nothing more will come."""
