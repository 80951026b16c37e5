"""The memory that a connection receives into, and that its messages are views of.

A block of memory is filled, its messages are views of it, and a fresh block is taken when it is full; only the
unfinished message at its end is copied. A block lives as long as a message of it, and is written again from its start
only when none is left. Nothing is taken on the peer's word: a block for a long message grows with the bytes that came.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from .mrd_decode import MrdDecoder
from .peer import Frame

SMALLEST = 16 * 1024
"""Bytes of a connection's first block, enough for its handshake."""
LARGEST = 4 * 1024 * 1024
"""Bytes of a block once data flood; longer messages take longer blocks."""


class ReceiveBuffer:
    """Receive buffer of one MRD stream.

    ::

        n = socket.recv_into(buffer.room())
        for frame in buffer.received(n): ...

    Parameters
    ----------
    decoder
        Decodes what is received.
    """

    def __init__(self, decoder: MrdDecoder) -> None:
        self.decoder = decoder
        self._block = np.empty(0, np.uint8)
        self._start = 0  # first byte that is not consumed
        self._end = 0  # first free byte
        self._size = SMALLEST

    @property
    def nbytes(self) -> int:
        """Bytes of the block that is held now."""
        return self._block.nbytes

    def room(self) -> memoryview:
        """Return free memory to receive into; at least one byte."""
        tail = self._end - self._start
        if not tail and self._end and self._unused():
            self._start = self._end = 0
        if self._end == len(self._block):
            if tail or self._end:  # it was filled: more may be coming
                self._size = min(2 * self._size, LARGEST)
            block = np.empty(max(self._size, min(self.decoder.needed, 2 * tail)), np.uint8)
            block[:tail] = self._block[self._start : self._end]
            self._block, self._start, self._end = block, 0, tail
        return self._block[self._end :].data

    def received(self, count: int) -> Iterator[Frame]:
        """Decode after so many bytes were written to the start of ``room``; raises what ``MrdDecoder.feed`` raises."""
        self._end += count
        start = self._start
        for frame in self.decoder.feed(self._block[start : self._end].data):
            self._start = start + self.decoder.consumed
            yield frame

    def drop(self) -> None:
        """Give the block back while nothing is pending: an idle connection holds no memory."""
        if self._start == self._end:
            self._block = np.empty(0, np.uint8)
            self._start = self._end = 0
            self._size = SMALLEST

    def _unused(self) -> bool:
        # Every message holds a view whose base is the block; the two references are ours and getrefcount's own.
        return sys.getrefcount(self._block) <= 2
