"""What worker threads send, in order, through an asyncio transport that must not fill the memory."""

from __future__ import annotations

import asyncio
import threading

from ..errors import ConnectionLost, EchotrainError, SessionTimeout
from ..mrd_encode import Buffers

HIGH = 1024 * 1024
"""Unsent bytes beyond which senders wait."""
LOW = 256 * 1024
"""Unsent bytes at which they go on."""

_JOINED = 64 * 1024  # shorter messages go out in one piece: a copy costs less than a second system call


class Outbox:
    """Sending end of one connection.

    ``send`` is for worker threads, everything else for the thread of the event loop.

    Parameters
    ----------
    loop, transport
        Where it writes.
    send_seconds
        See ``Limits.send_seconds``.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, send_seconds: float) -> None:
        self._loop = loop
        self._transport = transport
        self._send_seconds = send_seconds
        self._changed = threading.Condition()
        self._error: EchotrainError | None = None
        self._paused = False
        self._handed = 0  # bytes on their way from workers to the loop
        self._written = 0
        self._sent = 0
        self._progress_at = loop.time()
        transport.set_write_buffer_limits(HIGH, LOW)

    def send(self, buffers: Buffers) -> None:
        """Hand pieces of one message over; waits while too much is unsent.

        Raises
        ------
        ConnectionLost
            The connection has gone.
        SessionTimeout
            The client has read nothing for ``send_seconds``.
        """
        size = sum(len(piece) for piece in buffers)
        with self._changed:
            while self._error is None and (self._paused or self._handed > HIGH):
                self._changed.wait()
            if self._error is not None:
                raise type(self._error)(str(self._error))
            try:
                self._loop.call_soon_threadsafe(self._write, buffers, size)
            except RuntimeError:
                raise ConnectionLost("the engine no longer listens") from None
            self._handed += size

    def write(self, buffers: Buffers) -> None:
        """Write at once, from the loop's own thread."""
        if self._transport.is_closing():
            return
        size = sum(len(piece) for piece in buffers)
        self._written += size
        if size <= _JOINED:
            self._transport.write(b"".join(buffers))
            return
        for piece in buffers:
            self._transport.write(piece)

    def _write(self, buffers: Buffers, size: int) -> None:
        self.write(buffers)
        with self._changed:
            self._handed -= size
            self._changed.notify_all()

    def pause(self) -> None:
        """Make senders wait (``pause_writing``)."""
        with self._changed:
            self._paused = True

    def resume(self) -> None:
        """Let senders go on (``resume_writing``)."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def fail(self, error: EchotrainError) -> None:
        """Make every sender raise this from now on; the first error stays."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    @property
    def failed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._error is not None

    @property
    def unsent(self) -> int:
        """Bytes that the system has not taken yet."""
        return self._transport.get_write_buffer_size()

    def check(self, now: float) -> SessionTimeout | None:
        """Return an error, and fail, if the client has read nothing for too long; to be called regularly."""
        sent = self._written - self.unsent
        if sent > self._sent or not self.unsent:
            self._sent, self._progress_at = sent, now
        elif now - self._progress_at > self._send_seconds and not self.failed:
            error = SessionTimeout(
                f"the client has read nothing for {now - self._progress_at:.1f} s while {self.unsent} bytes wait for it"
            )
            self.fail(error)
            return error
        return None
