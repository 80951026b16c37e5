"""Messages of a session as ZeroMQ frames and back; pure, without sockets.

Frame 0 is the envelope, the others are the message's arrays. What opens and steers a session is in ``zmq_control``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import LimitExceeded, ProtocolError, UnknownMessage
from .limits import Limits
from .messages import (
    Array,
    Close,
    Fault,
    Image,
    Message,
    MetaValue,
    Progress,
    Query,
    Readouts,
    Response,
    Text,
    Waveform,
)
from .mrd_layout import ACQUISITION_DTYPE, DATA_TYPE_CODES, IMAGE_DTYPE, WAVEFORM_DTYPE
from .zmq_arrays import describe, take_arrays
from .zmq_envelope import VERSION, Buffer, Fields, pack

STREAM_TYPES = (
    "readouts",
    "waveform",
    "image",
    "array",
    "text",
    "query",
    "response",
    "progress",
    "fault",
    "close",
)
"""Types of the numbered messages of a session."""

Body = tuple[dict[str, Any], tuple[NDArray[Any], ...]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A message ready for the wire but for its session and number."""

    fields: Mapping[str, Any]
    buffers: tuple[Buffer, ...]
    """Frames after the envelope; they share the memory of the message's arrays."""

    def frames(self, session: str, seq: int) -> list[Buffer]:
        """Return all frames of the message with its session and its number."""
        envelope = pack({"v": VERSION, **self.fields, "session": session, "seq": seq})
        return [envelope, *self.buffers]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A received message of a session."""

    session: str
    seq: int
    message: Message


def encode(message: Message) -> Encoded:
    """Turn a message into fields and frames without copying contiguous arrays.

    Raises
    ------
    ProtocolError
        The message, or a dtype in it, is not in the protocol.
    """
    fields, arrays = _body(message)
    if not arrays:
        return Encoded(fields, ())
    described = [describe(array) for array in arrays]
    fields["arrays"] = [entry for entry, _ in described]
    return Encoded(fields, tuple(buffer for _, buffer in described))


def _body(message: Message) -> Body:
    match message:
        case Readouts(headers, samples, trajectory):
            return {"type": "readouts"}, (headers, samples) if trajectory is None else (headers, samples, trajectory)
        case Waveform(header, samples):
            return {"type": "waveform"}, (header, samples)
        case Image(header, pixels, meta):
            plain = {name: value if isinstance(value, str) else list(value) for name, value in meta.items()}
            return {"type": "image", "meta": plain}, (header, pixels)
        case Array(data):
            return {"type": "array"}, (data,)
        case _:
            return _plain_body(message), ()


def _plain_body(message: Message) -> dict[str, Any]:
    match message:
        case Text(text):
            return {"type": "text", "text": text}
        case Query(correlation, text):
            return {"type": "query", "correlation": correlation, "text": text}
        case Response(correlation, text):
            return {"type": "response", "correlation": correlation, "text": text}
        case Progress(gadget, done, total, text):
            return {"type": "progress", "gadget": gadget, "done": done, "total": total, "text": text}
        case Fault(code, text, fault_gadget, number):
            return {"type": "fault", "code": code, "text": text, "gadget": fault_gadget, "message_number": number}
        case Close():
            return {"type": "close"}
        case _:
            raise ProtocolError(f"{type(message).__name__} is no message of the ZeroMQ protocol")


def decode_numbered(fields: Fields, frames: Sequence[Buffer], limits: Limits) -> Numbered:
    """Read a numbered message; its arrays are read-only views of the frames.

    Parameters
    ----------
    fields
        The envelope, version and type already taken from it.
    frames
        What follows the envelope.

    Raises
    ------
    ProtocolError
        Anything in it is not as the protocol has it.
    LimitExceeded
        It is larger than the limits allow.
    """
    session, seq = fields.text("session"), fields.integer("seq")
    if seq == 0:
        raise ProtocolError("the message has number 0, the first one is number 1")
    arrays = take_arrays(fields, frames, limits)
    message = _message(fields, arrays, limits)
    fields.done()
    return Numbered(session, seq, message)


def _message(fields: Fields, arrays: list[NDArray[Any]], limits: Limits) -> Message:
    match fields.kind:
        case "readouts":
            return _readouts(arrays)
        case "waveform":
            return _waveform(arrays)
        case "image":
            return _image(arrays, _meta(fields))
        case "array":
            _expect(fields.kind, arrays, 1)
            return Array(arrays[0])
        case _:
            _expect(fields.kind, arrays, 0)
            return _plain_message(fields, limits)


def _plain_message(fields: Fields, limits: Limits) -> Message:
    match fields.kind:
        case "text":
            return Text(_text(fields, limits))
        case "query":
            return Query(fields.integer("correlation"), _text(fields, limits))
        case "response":
            return Response(fields.integer("correlation"), _text(fields, limits))
        case "progress":
            gadget, done, total = fields.text("gadget"), fields.integer("done"), fields.integer("total")
            return Progress(gadget, done, total, _text(fields, limits))
        case "fault":
            at = fields.text("gadget") if fields.has("gadget") else None
            number = fields.integer("message_number") if fields.has("message_number") else None
            return Fault(fields.text("code"), _text(fields, limits), at, number)
        case "close":
            return Close()
        case _:
            known = ", ".join(STREAM_TYPES)
            raise UnknownMessage(f"message type {fields.kind[:40]!r} is not in the protocol; known are {known}")


def _text(fields: Fields, limits: Limits) -> str:
    text = fields.text("text")
    if len(text) > limits.text_bytes:
        raise LimitExceeded(f"the text has {len(text)} characters, at most {limits.text_bytes} are allowed")
    return text


def _meta(fields: Fields) -> Mapping[str, MetaValue]:
    meta: dict[str, MetaValue] = {}
    for name, value in fields.table("meta").items():
        if isinstance(value, str):
            meta[name] = value
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            meta[name] = tuple(value)
        else:
            raise ProtocolError(f"metadata {name[:40]!r} is {type(value).__name__}, expected a text or a list of texts")
    return MappingProxyType(meta)


def _expect(kind: str, arrays: list[NDArray[Any]], *counts: int) -> None:
    if len(arrays) not in counts:
        raise ProtocolError(f"{kind[:40]} came with {len(arrays)} arrays, expected {' or '.join(map(str, counts))}")


def _typed(kind: str, array: NDArray[Any], dtype: Any, ndim: int) -> None:
    if array.dtype != dtype or array.ndim != ndim:
        found = f"{array.dtype.name if array.dtype.names is None else 'headers'} of {array.ndim} dimensions"
        raise ProtocolError(f"{kind} has {found} where {np.dtype(dtype).name} of {ndim} dimensions is expected")


def _agree(kind: str, name: str, written: Any, shape: Any) -> None:
    if not (written == shape).all():
        raise ProtocolError(
            f"{kind}: {name} is {np.unique(written).tolist()[:4]} in the header, but {shape} in the array's shape"
        )


def _readouts(arrays: list[NDArray[Any]]) -> Readouts:
    _expect("readouts", arrays, 2, 3)
    headers, samples, trajectory = arrays[0], arrays[1], arrays[2] if len(arrays) == 3 else None
    _typed("readouts", headers, ACQUISITION_DTYPE, 1)
    _typed("readouts", samples, np.complex64, 3)
    if len(headers) == 0 or samples.shape[0] != len(headers):
        raise ProtocolError(f"readouts: {len(headers)} headers for samples of shape {samples.shape}")
    _agree("readouts", "active_channels", headers["active_channels"], samples.shape[1])
    _agree("readouts", "number_of_samples", headers["number_of_samples"], samples.shape[2])
    dimensions = 0
    if trajectory is not None:
        _typed("readouts", trajectory, np.float32, 3)
        if trajectory.shape[:2] != (len(headers), samples.shape[2]):
            raise ProtocolError(f"readouts: trajectory of shape {trajectory.shape} for samples of {samples.shape}")
        dimensions = trajectory.shape[2]
    _agree("readouts", "trajectory_dimensions", headers["trajectory_dimensions"], dimensions)
    return Readouts(headers, samples, trajectory)


def _waveform(arrays: list[NDArray[Any]]) -> Waveform:
    _expect("waveform", arrays, 2)
    header, samples = arrays
    _typed("waveform", header, WAVEFORM_DTYPE, 0)
    _typed("waveform", samples, np.uint32, 2)
    _agree("waveform", "channels", header["channels"], samples.shape[0])
    _agree("waveform", "number_of_samples", header["number_of_samples"], samples.shape[1])
    return Waveform(header, samples)


def _image(arrays: list[NDArray[Any]], meta: Mapping[str, MetaValue]) -> Image:
    _expect("image", arrays, 2)
    header, pixels = arrays
    _typed("image", header, IMAGE_DTYPE, 0)
    code = DATA_TYPE_CODES.get(pixels.dtype)
    if code is None or pixels.ndim != 4:
        raise ProtocolError(f"image: pixels of {pixels.ndim} dimensions, expected numbers in (channels, z, y, x)")
    _agree("image", "data_type", header["data_type"], code)
    _agree("image", "channels", header["channels"], pixels.shape[0])
    _agree("image", "matrix_size", header["matrix_size"], np.array(pixels.shape[:0:-1]))
    return Image(header, pixels, meta)
