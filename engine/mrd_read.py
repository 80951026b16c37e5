"""How long each MRD message is, and what it says: one ``Kind`` a message id.

A length is worked out in Python's unbounded integers from the fields that are there, and held against the limits before
anything is taken for it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import LimitExceeded, ProtocolError
from .image_meta import parse_meta
from .limits import Limits
from .messages import (
    Array,
    Close,
    ConfigName,
    ConfigText,
    Fault,
    Header,
    Image,
    Message,
    Query,
    Readouts,
    Response,
    Text,
    Waveform,
)
from .mrd_encode import CONFIG_NAME_BYTES, MAX_DIMENSIONS
from .mrd_fault import read_fault
from .mrd_layout import ACQUISITION_DTYPE, DATA_TYPES, IMAGE_DTYPE, WAVEFORM_DTYPE, MessageId

ID_BYTES = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message: how to find its length and how to read it."""

    fixed: int
    """Bytes, the id included, after which ``measure`` can be asked."""
    measure: Callable[[memoryview, Limits], int]
    """From the message's bytes so far: its full length, or the length after which to ask again."""
    read: Callable[[memoryview], Message]
    """From all bytes of the message (of a run of equal readouts: of the whole run), the message; arrays are views."""


def _utf8(raw: memoryview, what: str) -> str:
    try:
        return bytes(raw).rstrip(b"\0").decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"{what} is not UTF-8: {error.reason} at its byte {error.start}") from None


def _within(size: int, limit: int, what: str) -> int:
    if size > limit:
        raise LimitExceeded(f"{what} of {size} bytes, at most {limit} are accepted")
    return size


def _array(raw: memoryview, offset: int, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.ndarray(shape, dtype, raw, offset)


def _no_measure(size: int) -> Callable[[memoryview, Limits], int]:
    return lambda _head, _limits: size


_text_limit, _header_limit = attrgetter("text_bytes"), attrgetter("header_bytes")


def _texts(what: str, form: str, build: Callable[..., Message], limit: Callable[[Limits], int] = _text_limit) -> Kind:
    """Make a kind whose last fixed field (of struct ``form``) is the length of the text behind it."""
    fields = struct.Struct(form)
    start = ID_BYTES + fields.size

    def measure(head: memoryview, limits: Limits) -> int:
        length = fields.unpack_from(head, ID_BYTES)[-1]
        return start + _within(length, min(limit(limits), limits.message_bytes), what)

    def read(raw: memoryview) -> Message:
        return build(*fields.unpack_from(raw, ID_BYTES)[:-1], raw[start:])

    return Kind(start, measure, read)


def _fault(raw: memoryview) -> Message:
    text = _utf8(raw, "an ERROR")
    return read_fault(text) or Fault("internal", text)


_READOUT = ID_BYTES + ACQUISITION_DTYPE.itemsize
SHAPE_OFFSETS = tuple(
    ID_BYTES + ACQUISITION_DTYPE.fields[name][1]  # type: ignore[index]  # a structured dtype has fields
    for name in ("number_of_samples", "active_channels", "trajectory_dimensions")
)
"""Where an ACQUISITION message says number_of_samples, active_channels and trajectory_dimensions (uint16 each)."""


def _readout_layout(head: memoryview) -> tuple[int, int, int, int]:
    samples, coils, dims = (int.from_bytes(head[at : at + 2], "little") for at in SHAPE_OFFSETS)
    return samples, coils, dims, _READOUT + 4 * samples * dims + 8 * samples * coils


def _readout_size(head: memoryview, limits: Limits) -> int:
    samples, coils, dims, size = _readout_layout(head)
    return _within(size, limits.message_bytes, f"a readout of {samples} samples, {coils} coils, {dims} dimensions")


def _readouts(raw: memoryview) -> Message:
    """Read a run of messages of one shape, each a row of a strided view."""
    samples, coils, dims, size = _readout_layout(raw)
    count, data = len(raw) // size, _READOUT + 4 * samples * dims
    trajectory: NDArray[np.float32] | None = None
    if dims:
        trajectory = np.ndarray((count, samples, dims), "<f4", raw, _READOUT, (size, 4 * dims, 4))
    return Readouts(
        np.ndarray((count,), ACQUISITION_DTYPE, raw, ID_BYTES, (size,)),
        np.ndarray((count, coils, samples), "<c8", raw, data, (size, 8 * samples, 8)),
        trajectory,
    )


def _waveform_shape(head: memoryview) -> tuple[NDArray[np.void], tuple[int, int]]:
    header = _array(head, ID_BYTES, WAVEFORM_DTYPE, ()).copy()
    return header, (int(header["channels"]), int(header["number_of_samples"]))


def _waveform_size(head: memoryview, limits: Limits) -> int:
    _, (channels, samples) = _waveform_shape(head)
    size = ID_BYTES + WAVEFORM_DTYPE.itemsize + 4 * channels * samples
    return _within(size, limits.message_bytes, f"a waveform of {samples} samples and {channels} channels")


def _waveform(raw: memoryview) -> Message:
    header, shape = _waveform_shape(raw)
    # A copy: a waveform is small, and its view would hold a whole receive buffer for as long as the scan lasts.
    return Waveform(header, _array(raw, ID_BYTES + WAVEFORM_DTYPE.itemsize, "<u4", shape).copy())


_META = ID_BYTES + IMAGE_DTYPE.itemsize + 8


def _image_layout(head: memoryview) -> tuple[NDArray[np.void], int, np.dtype[Any], tuple[int, ...]]:
    header = _array(head, ID_BYTES, IMAGE_DTYPE, ()).copy()
    code, (attributes,) = int(header["data_type"]), struct.unpack_from("<Q", head, _META - 8)
    if code not in DATA_TYPES:
        raise ProtocolError(f"an image of data type {code}, known are {', '.join(map(str, DATA_TYPES))}")
    if attributes != header["attribute_string_len"]:
        raise ProtocolError(
            f"an image's metadata have {header['attribute_string_len']} bytes by its header, {attributes} by the stream"
        )
    shape = (int(header["channels"]), *(int(n) for n in header["matrix_size"][::-1]))
    return header, attributes, DATA_TYPES[code], shape


def _image_size(head: memoryview, limits: Limits) -> int:
    _, attributes, dtype, shape = _image_layout(head)
    _within(attributes, limits.text_bytes, "an image's metadata")
    size = _META + attributes + dtype.itemsize * math.prod(shape)
    return _within(size, limits.message_bytes, f"an image of shape {shape} and type {dtype}")


def _image(raw: memoryview) -> Message:
    header, attributes, dtype, shape = _image_layout(raw)
    meta = parse_meta(bytes(raw[_META : _META + attributes]))
    return Image(header, _array(raw, _META + attributes, dtype, shape), meta)


def _ndarray_layout(head: memoryview) -> tuple[int, np.dtype[Any], tuple[int, ...] | None]:
    code, _version, ndim = struct.unpack_from("<3H", head, ID_BYTES)
    if code not in DATA_TYPES:
        raise ProtocolError(f"an array of data type {code}, known are {', '.join(map(str, DATA_TYPES))}")
    if ndim > MAX_DIMENSIONS:
        raise ProtocolError(f"an array of {ndim} dimensions, MRD has at most {MAX_DIMENSIONS}")
    start = ID_BYTES + 6 + 8 * ndim
    return start, DATA_TYPES[code], None if len(head) < start else struct.unpack_from(f"<{ndim}Q", head, ID_BYTES + 6)


def _ndarray_size(head: memoryview, limits: Limits) -> int:
    start, dtype, shape = _ndarray_layout(head)
    if shape is None:
        return start
    # Zero dimensions count as one: NumPy refuses an empty array whose other dimensions overflow.
    _within(dtype.itemsize * math.prod(max(n, 1) for n in shape), limits.message_bytes, f"an array of shape {shape}")
    return start + dtype.itemsize * math.prod(shape)


def _ndarray(raw: memoryview) -> Message:
    start, dtype, shape = _ndarray_layout(raw)
    return Array(_array(raw, start, dtype, shape or ()))


_CONFIG_FILE_END = ID_BYTES + CONFIG_NAME_BYTES

KINDS: Mapping[int, Kind] = MappingProxyType(
    {
        MessageId.CONFIG_FILE: Kind(
            _CONFIG_FILE_END,
            _no_measure(_CONFIG_FILE_END),
            lambda raw: ConfigName(_utf8(raw[ID_BYTES:], "a chain's name")),
        ),
        MessageId.CONFIG_TEXT: _texts("a configuration", "<I", lambda raw: ConfigText(_utf8(raw, "a configuration"))),
        MessageId.HEADER: _texts("a header", "<I", lambda raw: Header(bytes(raw).rstrip(b"\0")), _header_limit),
        MessageId.CLOSE: Kind(ID_BYTES, _no_measure(ID_BYTES), lambda _raw: Close()),
        MessageId.TEXT: _texts("a TEXT", "<I", lambda raw: Text(_utf8(raw, "a TEXT"))),
        MessageId.QUERY: _texts("a QUERY", "<QQQ", lambda _reserved, number, raw: Query(number, _utf8(raw, "a QUERY"))),
        MessageId.RESPONSE: _texts("a RESPONSE", "<QQ", lambda number, raw: Response(number, _utf8(raw, "a RESPONSE"))),
        MessageId.ERROR: _texts("an ERROR", "<Q", _fault),
        MessageId.ACQUISITION: Kind(_READOUT, _readout_size, _readouts),
        MessageId.IMAGE: Kind(_META, _image_size, _image),
        MessageId.WAVEFORM: Kind(ID_BYTES + WAVEFORM_DTYPE.itemsize, _waveform_size, _waveform),
        MessageId.NDARRAY: Kind(ID_BYTES + 6, _ndarray_size, _ndarray),
    }
)
"""Every message that MRD knows, by its id."""
