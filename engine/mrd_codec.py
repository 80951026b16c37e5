"""The MRD stream codec: bytes to messages and back, without I/O.

``MrdDecoder`` and ``ReceiveBuffer`` read, ``encode`` and ``encode_bytes`` write.
"""

from __future__ import annotations

from .mrd_buffer import ReceiveBuffer
from .mrd_decode import MrdDecoder
from .mrd_encode import encode, encode_bytes

__all__ = ["MrdDecoder", "ReceiveBuffer", "encode", "encode_bytes"]
