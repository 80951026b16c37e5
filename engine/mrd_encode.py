"""Messages to MRD stream bytes: buffers for ``writelines``, without I/O."""

from __future__ import annotations

import json
import struct
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, LimitExceeded
from .image_meta import serialize_meta
from .messages import (
    Array,
    Close,
    ConfigName,
    ConfigText,
    Fault,
    Header,
    Image,
    Message,
    Parameters,
    Progress,
    Query,
    Readouts,
    Response,
    Text,
    Waveform,
)
from .mrd_fault import write_fault
from .mrd_layout import ACQUISITION_DTYPE, DATA_TYPE_CODES, IMAGE_DTYPE, WAVEFORM_DTYPE, MessageId

Buffers = list[bytes | memoryview]
"""Consecutive pieces of the stream; a memoryview shares the message's memory."""

CONFIG_NAME_BYTES = 1024
"""Size of the NUL-padded name of CONFIG_FILE."""

MAX_DIMENSIONS = 7
"""Most dimensions of an NDARRAY (``ISMRMRD_NDARRAY_MAXDIM``)."""


@singledispatch
def encode(message: Message) -> Buffers:
    """Encode a message.

    Parameters
    ----------
    message
        Any message of ``messages``. A ``Fault`` becomes a TEXT that begins with ERR, ``Parameters`` become the JSON
        text of FIRE and OpenRecon clients, and ``Progress`` becomes nothing, since MRD has no such message.

    Returns
    -------
    list of bytes and memoryview
        Pieces to be written one after another; large arrays are not copied if they are contiguous.

    Raises
    ------
    DataError
        The message's header contradicts its arrays, or an array has a type that MRD lacks.
    LimitExceeded
        A chain's name of more than 1,023 bytes.
    """
    raise TypeError(f"{type(message).__name__} does not go over the wire")


def encode_bytes(message: Message) -> bytes:
    """Encode a message into one piece."""
    return b"".join(encode(message))


@encode.register
def _(message: ConfigName) -> Buffers:
    name = _utf8(message.name)
    if len(name) >= CONFIG_NAME_BYTES:
        raise LimitExceeded(f"the chain's name has {len(name)} bytes, at most {CONFIG_NAME_BYTES - 1} go over MRD")
    return [struct.pack("<H1024s", MessageId.CONFIG_FILE, name)]


@encode.register
def _(message: ConfigText) -> Buffers:
    return _short(MessageId.CONFIG_TEXT, _utf8(message.text))


@encode.register
def _(message: Header) -> Buffers:
    return _short(MessageId.HEADER, message.xml)


@encode.register
def _(message: Text) -> Buffers:
    return _short(MessageId.TEXT, _utf8(message.text))


@encode.register
def _(message: Fault) -> Buffers:
    return _short(MessageId.TEXT, _utf8(write_fault(message)))


@encode.register
def _(message: Parameters) -> Buffers:
    given = dict(message.overrides) if message.config is None else {"config": message.config, **message.overrides}
    return _short(MessageId.TEXT, json.dumps({"parameters": given}).encode())


@encode.register
def _(_message: Progress) -> Buffers:
    return []


@encode.register
def _(_message: Close) -> Buffers:
    return [struct.pack("<H", MessageId.CLOSE)]


@encode.register
def _(message: Query) -> Buffers:
    text = _utf8(message.text)
    return [struct.pack("<HQQQ", MessageId.QUERY, 0, message.correlation, len(text)) + text]


@encode.register
def _(message: Response) -> Buffers:
    text = _utf8(message.text)
    return [struct.pack("<HQQ", MessageId.RESPONSE, message.correlation, len(text)) + text]


@encode.register
def _(message: Readouts) -> Buffers:
    headers, samples, trajectory = message.headers, message.samples, message.trajectory
    count, coils, length = samples.shape
    dims = 0 if trajectory is None else trajectory.shape[2]
    _agree("trajectory_dimensions", headers["trajectory_dimensions"], dims)
    _agree("active_channels", headers["active_channels"], coils)
    _agree("number_of_samples", headers["number_of_samples"], length)
    if len(headers) != count or (trajectory is not None and trajectory.shape[:2] != (count, length)):
        raise DataError(f"a block of {count} readouts of {length} samples has {len(headers)} headers")
    start = 2 + ACQUISITION_DTYPE.itemsize
    data = start + 4 * length * dims
    out = np.empty((count, data + 8 * coils * length), np.uint8)
    out[:, :2] = np.frombuffer(struct.pack("<H", MessageId.ACQUISITION), np.uint8)
    out[:, 2:start] = _rows(headers.astype(ACQUISITION_DTYPE, copy=False))
    if trajectory is not None:
        out[:, start:data] = _rows(trajectory.astype("<f4", copy=False))
    out[:, data:] = _rows(samples.astype("<c8", copy=False))
    return [out.reshape(-1).data]


@encode.register
def _(message: Waveform) -> Buffers:
    header = np.zeros((), WAVEFORM_DTYPE)  # its padding goes out as zeros
    for name in WAVEFORM_DTYPE.names or ():
        header[name] = message.header[name]
    _agree("channels", header["channels"], message.samples.shape[0])
    _agree("number_of_samples", header["number_of_samples"], message.samples.shape[1])
    start = struct.pack("<H", MessageId.WAVEFORM) + header.tobytes()
    return [start, _data(message.samples.astype("<u4", copy=False))]


@encode.register
def _(message: Image) -> Buffers:
    header, pixels = message.header.astype(IMAGE_DTYPE, copy=True), message.pixels
    if pixels.ndim != 4:
        raise DataError(f"an image's pixels have shape {pixels.shape}, expected (channels, z, y, x)")
    _agree("data_type", header["data_type"], _code(pixels))
    _agree("channels", header["channels"], pixels.shape[0])
    _agree("matrix_size", header["matrix_size"], pixels.shape[:0:-1])
    meta = serialize_meta(message.meta)
    header["attribute_string_len"] = len(meta)
    start = struct.pack("<H", MessageId.IMAGE) + header.tobytes() + struct.pack("<Q", len(meta)) + meta
    return [start, _data(pixels)]


@encode.register
def _(message: Array) -> Buffers:
    data = message.data
    if data.ndim > MAX_DIMENSIONS:
        raise DataError(f"an array of {data.ndim} dimensions, MRD has at most {MAX_DIMENSIONS}")
    return [struct.pack(f"<4H{data.ndim}Q", MessageId.NDARRAY, _code(data), 0, data.ndim, *data.shape), _data(data)]


def _utf8(text: str) -> bytes:
    # Lone surrogates come from undecodable file names in error texts, and an error must always get through.
    return text.encode("utf-8", "backslashreplace")


def _short(kind: MessageId, text: bytes) -> Buffers:
    return [struct.pack("<HI", kind, len(text)) + text]


def _code(array: NDArray[Any]) -> int:
    dtype = array.dtype.newbyteorder("<")
    if dtype not in DATA_TYPE_CODES:
        known = ", ".join(str(known) for known in DATA_TYPE_CODES)
        raise DataError(f"MRD has no data of type {array.dtype}, only {known}")
    return DATA_TYPE_CODES[dtype]


def _agree(field: str, header: NDArray[Any], expected: object) -> None:
    wrong = header != np.asarray(expected)
    if np.any(wrong):
        got = header if header.ndim == 0 or field == "matrix_size" else header[wrong][0]
        raise DataError(f"a header says {field} {got}, its data say {expected}")


def _rows(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of each entry along the first axis, (N, bytes)."""
    contiguous = np.ascontiguousarray(array)
    if contiguous.size == 0:
        return np.empty((len(array), 0), np.uint8)
    return contiguous.reshape(len(array), -1).view(np.uint8)


def _data(array: NDArray[Any]) -> memoryview:
    """Return the bytes of an array in C order, little-endian; a view where that is what it is in memory."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data
