"""MRD stream bytes to messages, without I/O: the caller owns the buffer, the messages are views of it.

MRD messages have no outer length, so what cannot be understood ends the stream. Python pays per message: a run of
readouts of one shape is found and read as one block, by strided views over the run and no loop over readouts.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .errors import Truncated, UnknownMessage
from .limits import Limits
from .mrd_layout import MessageId
from .mrd_read import ID_BYTES, KINDS, SHAPE_OFFSETS
from .peer import Frame


class MrdDecoder:
    """Decoder of one MRD stream.

    It keeps no bytes: what a call of ``feed`` did not consume stands again at the start of the next call's buffer, with
    more behind it. ``mrd_buffer.ReceiveBuffer`` does that for a transport.

    Parameters
    ----------
    limits
        ``message_bytes``, ``header_bytes`` and ``text_bytes`` are held against every size as soon as it is known.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._have = 0  # bytes of the unfinished message
        self._kind = ""
        self._run = 1  # readouts of the last block
        self.position = 0
        """Bytes of the stream that were consumed."""
        self.consumed = 0
        """Bytes that the last ``feed`` consumed; what follows them is needed again."""
        self.needed = 0
        """Length of the unfinished message as far as it is known: never beyond the limits; 0 between messages."""

    @property
    def pending(self) -> bool:
        """True inside a message."""
        return self._have > 0

    def feed(self, buffer: memoryview) -> Iterator[Frame]:
        """Decode what has arrived.

        Parameters
        ----------
        buffer
            What the last call left, and what has come since, as bytes. The messages hold views of it, so the consumed
            part must not be written to while they live; the rest may be moved.

        Yields
        ------
        Frame
            The complete messages in order. A run of readouts of one shape is one frame.

        Raises
        ------
        UnknownMessage
            An id that is not in the protocol.
        LimitExceeded
            A size beyond the limits; nothing of that size is asked for.
        ProtocolError
            A message that contradicts itself or cannot be read. It is raised after everything before it was yielded.
        """
        buffer = buffer.toreadonly()
        self.consumed = 0
        while True:
            self._have = len(buffer) - self.consumed
            size = self._measure(buffer[self.consumed :])
            self.needed = size if self._have else 0
            if self._have < size:
                return
            start = self.consumed
            if self._kind == MessageId.ACQUISITION.name:
                self._run = equal_readouts(buffer[start:], size, self._run)
                size *= self._run
            raw = buffer[start : start + size]
            message = KINDS[raw[0] | raw[1] << 8].read(raw)
            self.consumed += size
            self.position += size
            self._have, self.needed = self._have - size, 0
            yield Frame(message, raw, size)

    def finish(self) -> None:
        """Say that the stream has ended.

        Raises
        ------
        Truncated
            It ended inside a message.
        """
        if self.pending:
            of = f"{self.needed} or more" if self.needed <= ID_BYTES else str(self.needed)
            raise Truncated(
                f"the stream ended inside {self._kind or 'a message id'} at byte {self.position}: "
                f"got {self._have} bytes of {of}"
            )

    def _measure(self, head: memoryview) -> int:
        """Return the length of the message that begins here, or a length after which more of it is known."""
        if len(head) < ID_BYTES:
            self._kind = ""
            return ID_BYTES
        number = head[0] | head[1] << 8
        kind = KINDS.get(number)
        if kind is None:
            known = ", ".join(f"{known.value} {known.name}" for known in MessageId)
            raise UnknownMessage(f"message id {number} at byte {self.position} is not in the protocol; known: {known}")
        self._kind = MessageId(number).name
        return kind.fixed if len(head) < kind.fixed else kind.measure(head, self._limits)


def equal_readouts(buffer: memoryview, size: int, expected: int = 1) -> int:
    """Count the complete ACQUISITION messages at the start of a buffer that have the first one's shape.

    Parameters
    ----------
    buffer
        Begins with one complete ACQUISITION message.
    size
        Length of that message in bytes.
    expected
        How many there may be; the last run's count is a good guess.
    """
    most, count = len(buffer) // size, 1
    while count < most:
        # Looking only so far ahead as runs have proved to go keeps ever-changing shapes from costing the square.
        ahead = min(most, max(8 * count, expected)) - count
        start = count * size
        same = np.ndarray((ahead,), "<u2", buffer, start, (size,)) == MessageId.ACQUISITION
        for offset in SHAPE_OFFSETS:
            first = int.from_bytes(buffer[offset : offset + 2], "little")
            same &= np.ndarray((ahead,), "<u2", buffer, start + offset, (size,)) == first
        if not same.all():
            return count + int(same.argmin())
        count += ahead
    return count
