"""The memory that a connection receives into, and that its messages are views of.

A block of memory is filled, its messages are views of it, and another block is taken when it is full; only the
unfinished message at its end is copied. A block lives as long as a message of it, and is written again only when none
is left: memory whose pages are there takes data about half as fast again as fresh memory. Nothing is taken on the
peer's word: a block for a long message grows with the bytes that came.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .mrd_decode import MrdDecoder
from .peer import Frame

SMALLEST = 16 * 1024
"""Bytes of a connection's first block, enough for its handshake."""
LARGEST = 4 * 1024 * 1024
"""Bytes of a block once data flood; longer messages take longer blocks."""
LARGEST_CACHED = 1024 * 1024
"""The same where received bytes are written to disk first: they are still in the processor's cache then."""
KEPT = 8
"""Filled blocks that are kept in sight, to be used again once their messages are gone."""

Block = NDArray[np.uint8]


def _references(blocks: list[Block], number: int) -> int:
    return sys.getrefcount(blocks[number])


_ALONE = _references([np.empty(0, np.uint8)], 0)
"""References to a block in a list when no message holds a view of it: every view's base is the block."""


class ReceiveBuffer:
    """Receive buffer of one MRD stream.

    ::

        n = socket.recv_into(buffer.room())
        for frame in buffer.received(n): ...

    Parameters
    ----------
    decoder
        Decodes what is received.
    largest
        Bytes of a block once data flood.
    """

    def __init__(self, decoder: MrdDecoder, largest: int = LARGEST) -> None:
        self.decoder = decoder
        self._largest = largest
        self._blocks: list[Block] = []  # the one in use, then filled ones, the latest first
        self._start = 0  # first byte of the block in use that is not consumed
        self._end = 0  # its first free byte
        self._size = SMALLEST

    @property
    def nbytes(self) -> int:
        """Bytes of the blocks that are held now."""
        return sum(block.nbytes for block in self._blocks)

    @property
    def unread(self) -> int:
        """Bytes that were received and not consumed."""
        return self._end - self._start

    @property
    def is_full(self) -> bool:
        """Whether there is no room but in another block."""
        return bool(self._blocks) and self._end == len(self._blocks[0])

    def room(self) -> memoryview:
        """Return free memory to receive into; at least one byte."""
        if not self._blocks:
            self._blocks = [np.empty(self._size, np.uint8)]
        elif not self.unread and self._end and _references(self._blocks, 0) == _ALONE:
            self._start = self._end = 0
        elif self._end == len(self._blocks[0]):
            self._change()
        return self._blocks[0][self._end :].data

    def received(self, count: int) -> Iterator[Frame]:
        """Decode after so many bytes were written to the start of ``room``; raises what ``MrdDecoder.feed`` raises."""
        self.add(count)
        yield from self.frames()

    def add(self, count: int) -> None:
        """Note that so many bytes were written to the start of ``room``; ``frames`` must come before it is full."""
        self._end += count

    def frames(self) -> Iterator[Frame]:
        """Decode what was added; raises what ``MrdDecoder.feed`` raises."""
        if not self._blocks:
            return
        start = self._start
        for frame in self.decoder.feed(self._blocks[0][start : self._end].data):
            self._start = start + self.decoder.consumed
            yield frame

    def drop(self) -> None:
        """Give the memory back while nothing is pending: an idle connection holds none."""
        if not self.unread:
            self._blocks.clear()
            self._start = self._end = 0
            self._size = SMALLEST

    def _change(self) -> None:
        """Go on in another block, with the unfinished message at its start."""
        tail = self._blocks[0][self._start : self._end]
        self._size = min(2 * self._size, self._largest)  # a full block says that more is coming
        size = max(self._size, min(self.decoder.needed, 2 * len(tail)))
        block = self._reusable(size)
        if block is None:
            block = np.empty(size, np.uint8)
        block[: len(tail)] = tail
        self._start, self._end = 0, len(tail)
        self._blocks = [block, *self._blocks[:KEPT]]

    def _reusable(self, size: int) -> Block | None:
        for number in range(1, len(self._blocks)):
            if len(self._blocks[number]) == size and _references(self._blocks, number) == _ALONE:
                return self._blocks.pop(number)
        return None
