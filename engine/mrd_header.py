"""The MRD XML header, read leniently where writers differ and strictly where it would be dangerous.

Only what the engine uses is read; the XML itself goes on unchanged to recordings. Entities, DTDs and oversized texts
are refused before they can expand. Names and enumerations are matched without regard to case, since real writers
disagree with the schema there (``Cartesian`` for ``cartesian``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from .errors import HeaderError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

T = TypeVar("T", int, float)

MAX_HEADER_BYTES = 8 * 1024 * 1024
"""Default limit of a header's text; the settings can lower or raise it."""

_MAX_MATRIX = 65_535  # readout headers count in uint16
_COUNTERS = ("average", "slice", "contrast", "phase", "repetition", "set", "segment")


@dataclass(frozen=True, slots=True)
class Space:
    """A grid: encoded space (with oversampling) or reconstruction space."""

    matrix: tuple[int, int, int]
    """(x, y, z) = (readout, phase encoding, partition)."""
    field_of_view: tuple[float, float, float]
    """(x, y, z) in mm; zeros if the writer gave none."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Range of one encoding counter, inclusive, and the index of its k-space centre."""

    minimum: int = 0
    maximum: int = 0
    center: int = 0


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encoding space of a scan."""

    encoded: Space
    recon: Space
    limits: Mapping[str, Limit] = field(default_factory=lambda: MappingProxyType({}))
    """By MRD name (``kspace_encoding_step_1``, ``slice`` ...); a counter that is not limited is absent."""
    trajectory: str = "cartesian"
    acceleration: tuple[int, int] = (1, 1)
    """Acceleration factor R along phase encoding and partition."""
    calibration_mode: str | None = None
    """``embedded``, ``interleaved``, ``separate``, ``external``, ``other`` or None."""


@dataclass(frozen=True, slots=True)
class ScanHeader:
    """What the engine knows of a scan before its first readout."""

    encodings: tuple[Encoding, ...]
    receiver_channels: int | None = None
    relative_receiver_noise_bandwidth: float | None = None
    """Equivalent noise bandwidth of the receiver relative to 1/dwell time; None if not given."""
    measurement_id: str | None = None
    measurement_dependencies: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Dependency type in lower case (``noise`` ...) -> measurement id."""
    patient_position: str | None = None
    protocol_name: str | None = None
    series_description: str | None = None
    system: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """``systemVendor``, ``systemModel``, ``systemFieldStrength_T``, ``institutionName`` where given."""
    sequence: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """``TR``, ``TE``, ``TI`` in ms, ``flipAngle_deg`` in degrees, where given."""
    notes: tuple[str, ...] = ()
    """What was adapted on reading, for the log and for the images' comments."""


def parse_header(xml: bytes, *, max_bytes: int = MAX_HEADER_BYTES) -> ScanHeader:
    """Read an MRD XML header.

    Parameters
    ----------
    xml
        The header's text; NULs at its end are ignored, as some writers count one.
    max_bytes
        Longest text that is looked at.

    Raises
    ------
    HeaderError
        The text is too long, is not XML, declares entities or a DTD, is not an MRD header, lacks an encoding or gives
        a matrix size that is no positive uint16.
    """
    from defusedxml import ElementTree  # parsing is needed once a session, not for --help
    from defusedxml.common import DefusedXmlException

    if len(xml) > max_bytes:
        raise HeaderError(f"the header has {len(xml)} bytes, at most {max_bytes} are read")
    try:
        root = ElementTree.fromstring(xml.rstrip(b"\0"), forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise HeaderError(f"the header declares a DTD, an entity or an external reference: {error}") from None
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise HeaderError(f"the header is not well-formed XML: {error}") from None
    if _name(root) != "ismrmrdheader":
        raise HeaderError(f"the header's root element is <{root.tag}>, expected <ismrmrdHeader>")
    notes: list[str] = []
    encodings = tuple(_encoding(e, number, notes) for number, e in enumerate(_all(root, "encoding")))
    if not encodings:
        raise HeaderError("the header has no <encoding>; at least one is needed to know the matrix size")
    measurement = _first(root, "measurementInformation")
    system = _first(root, "acquisitionSystemInformation")
    sequence = _first(root, "sequenceParameters")
    return ScanHeader(
        encodings=encodings,
        receiver_channels=_optional(system, "receiverChannels", int),
        relative_receiver_noise_bandwidth=_optional(system, "relativeReceiverNoiseBandwidth", float),
        measurement_id=_text(measurement, "measurementID"),
        measurement_dependencies=_dependencies(measurement),
        patient_position=_text(measurement, "patientPosition"),
        protocol_name=_text(measurement, "protocolName"),
        series_description=_text(measurement, "seriesDescription"),
        system=_texts(system, ("systemVendor", "systemModel", "systemFieldStrength_T", "institutionName")),
        sequence=_sequence(sequence),
        notes=tuple(notes),
    )


def _name(element: Element) -> str:
    return element.tag.rsplit("}", 1)[-1].lower() if isinstance(element.tag, str) else ""


def _all(parent: Element | None, name: str) -> list[Element]:
    return [] if parent is None else [child for child in parent if _name(child) == name.lower()]


def _first(parent: Element | None, name: str) -> Element | None:
    found = _all(parent, name)
    return found[0] if found else None


def _text(parent: Element | None, name: str) -> str | None:
    element = _first(parent, name)
    return None if element is None or element.text is None else element.text.strip()


def _texts(parent: Element | None, names: tuple[str, ...]) -> Mapping[str, str]:
    pairs = {name: _text(parent, name) for name in names}
    return MappingProxyType({name: text for name, text in pairs.items() if text})


def _optional(parent: Element | None, name: str, convert: Callable[[str], T]) -> T | None:
    text = _text(parent, name)
    if text is None:
        return None
    try:
        value = convert(text)
    except ValueError:
        value = None
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        raise HeaderError(f"the header's <{name}> is {text[:80]!r}, expected a number")
    return value


def _required(parent: Element | None, name: str, convert: Callable[[str], T], where: str) -> T:
    value = _optional(parent, name, convert)
    if value is None:
        raise HeaderError(f"the header lacks <{name}> in {where}")
    return value


def _space(element: Element, where: str) -> Space:
    matrix, fov = _first(element, "matrixSize"), _first(element, "fieldOfView_mm")
    sizes = (
        _required(matrix, "x", int, f"{where} matrixSize"),
        _required(matrix, "y", int, f"{where} matrixSize"),
        _required(matrix, "z", int, f"{where} matrixSize"),
    )
    if not all(0 < n <= _MAX_MATRIX for n in sizes):
        raise HeaderError(f"the {where} matrix is {sizes}, expected sizes from 1 to {_MAX_MATRIX}")
    lengths = tuple(_optional(fov, axis, float) or 0.0 for axis in "xyz")
    return Space(sizes, (lengths[0], lengths[1], lengths[2]))


def _encoding(element: Element, number: int, notes: list[str]) -> Encoding:
    encoded_element, recon_element = _first(element, "encodedSpace"), _first(element, "reconSpace")
    if encoded_element is None:
        raise HeaderError(f"encoding {number} of the header lacks <encodedSpace>")
    encoded = _space(encoded_element, f"encoding {number} encodedSpace")
    if recon_element is None:
        notes.append(f"encoding {number} has no reconSpace: the encoded space is used")
        recon = encoded
    else:
        recon = _space(recon_element, f"encoding {number} reconSpace")
    written = _text(element, "trajectory") or "cartesian"
    if written != written.lower():
        notes.append(f"trajectory {written!r} is read as {written.lower()!r}, as the schema spells it")
    # counters of spokes, spirals ... are no lines of the encoded matrix
    gridded = encoded if written.lower() in {"cartesian", "epi"} else None
    return Encoding(
        encoded=encoded,
        recon=recon,
        limits=_limits(_first(element, "encodingLimits"), gridded, number),
        trajectory=written.lower(),
        acceleration=_acceleration(_first(element, "parallelImaging"), number),
        calibration_mode=(_text(_first(element, "parallelImaging"), "calibrationMode") or "").lower() or None,
    )


def _limits(element: Element | None, gridded: Space | None, number: int) -> Mapping[str, Limit]:
    limits = {}
    for name in ("kspace_encoding_step_0", "kspace_encoding_step_1", "kspace_encoding_step_2", *_COUNTERS):
        limit = _first(element, name)
        if limit is None:
            continue
        where = f"encoding {number} encodingLimits {name}"
        values = Limit(*(_required(limit, part, int, where) for part in ("minimum", "maximum", "center")))
        if not 0 <= values.minimum <= values.maximum <= _MAX_MATRIX:
            raise HeaderError(
                f"{where} run from {values.minimum} to {values.maximum}, expected 0 <= minimum <= maximum"
            )
        limits[name] = values
    _, *lines = (0, 0, 0) if gridded is None else gridded.matrix
    for name, size in zip(("kspace_encoding_step_1", "kspace_encoding_step_2"), lines, strict=True):
        if size and name in limits and limits[name].maximum - limits[name].minimum >= size:
            raise HeaderError(
                f"encoding {number}: {name} runs from {limits[name].minimum} to {limits[name].maximum}, "
                f"but the encoded matrix has only {size} lines there"
            )
    return MappingProxyType(limits)


def _acceleration(element: Element | None, number: int) -> tuple[int, int]:
    factor = _first(element, "accelerationFactor")
    if factor is None:
        return (1, 1)
    where = f"encoding {number} accelerationFactor"
    steps = [_required(factor, f"kspace_encoding_step_{axis}", int, where) for axis in (1, 2)]
    if min(steps) < 1:
        raise HeaderError(f"{where} is {steps}, expected at least 1")
    return (steps[0], steps[1])


def _dependencies(element: Element | None) -> Mapping[str, str]:
    found = {}
    for dependency in _all(element, "measurementDependency"):
        kind, target = _text(dependency, "dependencyType"), _text(dependency, "measurementID")
        if kind and target:
            found[kind.lower()] = target
    return MappingProxyType(found)


def _sequence(element: Element | None) -> Mapping[str, tuple[float, ...]]:
    found = {}
    for name in ("TR", "TE", "TI", "flipAngle_deg"):
        try:
            values = tuple(float(e.text or "") for e in _all(element, name))
        except ValueError:
            continue  # a free-text repetition time harms no image
        if values:
            found[name] = values
    return MappingProxyType(found)
