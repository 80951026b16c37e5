"""Arrays as frames of a ZeroMQ message: raw bytes in a frame, dtype and shape in the envelope.

Neither way copies what need not be copied: a received array is a view of its frame, a sent frame one of its array.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import LimitExceeded, ProtocolError
from .limits import Limits
from .mrd_layout import ACQUISITION_DTYPE, DATA_TYPES, IMAGE_DTYPE, WAVEFORM_DTYPE
from .zmq_envelope import Buffer, Fields

DTYPES: dict[str, np.dtype[Any]] = {
    "acquisition": ACQUISITION_DTYPE,
    "image": IMAGE_DTYPE,
    "waveform": WAVEFORM_DTYPE,
    **{dtype.name: dtype for dtype in DATA_TYPES.values()},
}
"""Name on the wire -> little-endian dtype; nothing else can be named."""

NAMES: dict[np.dtype[Any], str] = {dtype: name for name, dtype in DTYPES.items()}
"""Dtype -> name on the wire."""

_MAX_DIMENSIONS = 16


def describe(array: NDArray[Any]) -> tuple[list[Any], Buffer]:
    """Return ``[dtype, shape]`` for the envelope and the frame.

    Parameters
    ----------
    array
        Any shape; one of ``DTYPES``, in any byte order. It must not change afterwards: the frame shares its memory.

    Raises
    ------
    ProtocolError
        The protocol has no such dtype, or too many dimensions.
    """
    dtype = array.dtype if array.dtype.names else array.dtype.newbyteorder("<")
    name = NAMES.get(dtype)
    if name is None:
        raise ProtocolError(f"an array of dtype {array.dtype} cannot be sent, only {', '.join(DTYPES)}")
    if array.ndim > _MAX_DIMENSIONS:
        raise ProtocolError(f"an array of {array.ndim} dimensions cannot be sent, at most {_MAX_DIMENSIONS}")
    flat = np.ascontiguousarray(array, dtype=dtype).reshape(-1)
    return [name, list(array.shape)], flat.view(np.uint8).data


def take_arrays(fields: Fields, frames: Sequence[Buffer], limits: Limits) -> list[NDArray[Any]]:
    """Take ``arrays`` from an envelope and view the frames that follow it as these arrays, read-only.

    Raises
    ------
    LimitExceeded
        They are larger together than one message may be.
    ProtocolError
        Count, dtype, shape and length of the frames do not agree, or a dtype is not allowed.
    """
    described = fields.list("arrays") if fields.has("arrays") else []
    if len(described) != len(frames):
        raise ProtocolError(f"the envelope describes {len(described)} arrays, but {len(frames)} frames follow it")
    total = sum(map(len, frames))
    if total > limits.message_bytes:
        raise LimitExceeded(f"the arrays have {total} bytes, at most {limits.message_bytes} are allowed in a message")
    return [_view(number, entry, frame) for number, (entry, frame) in enumerate(zip(described, frames, strict=True), 1)]


def _view(number: int, entry: object, frame: Buffer) -> NDArray[Any]:
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], list):
        raise ProtocolError(f"array {number} is not described as [dtype, shape]")
    name, shape = entry
    dtype = DTYPES.get(name) if isinstance(name, str) else None
    if dtype is None:
        raise ProtocolError(f"array {number} has dtype {str(name)[:40]!r}, allowed are {', '.join(DTYPES)}")
    if len(shape) > _MAX_DIMENSIONS or not all(type(n) is int and 0 <= n < 2**48 for n in shape):
        raise ProtocolError(f"array {number} has shape {str(shape)[:80]}, expected up to {_MAX_DIMENSIONS} sizes")
    expected = math.prod(shape) * dtype.itemsize  # Python integers: nothing to overflow
    if expected != len(frame):
        raise ProtocolError(
            f"array {number} is {name} {tuple(shape)}, which takes {expected} bytes, but its frame has {len(frame)}"
        )
    try:
        array = np.frombuffer(frame, dtype=dtype).reshape(shape)
    except ValueError as error:  # an empty array with sizes that NumPy cannot index
        raise ProtocolError(f"array {number} has shape {tuple(shape)}: {error}") from None
    array.flags.writeable = False  # it may be shared by every gadget of a chain
    return array
