"""The in-memory transport: an engine in the same process, without sockets, bytes or copies."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from ..errors import ConnectionLost, SessionTimeout
from ..messages import Image, Message

_MAX_WAITING = 64
"""Messages that wait for the client before the engine waits for it."""


class MemoryPeer:
    """The engine's view of a client in the same process; see ``Peer``.

    Parameters
    ----------
    send_seconds
        How long a full outbox may stay full.
    wake
        Called after every change that a reader may wait for: from worker threads, so it must be thread-safe.
    """

    def __init__(self, send_seconds: float, wake: Callable[[], None]) -> None:
        self._send_seconds = send_seconds
        self._wake = wake
        self._outbox: deque[Message] = deque()
        self._changed = threading.Condition()
        self._gone = False
        self.has_ended = False

    def send(self, message: Message) -> None:
        """See ``Peer.send``."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._outbox) < _MAX_WAITING or self._gone, self._send_seconds):
                raise SessionTimeout(f"the client has read nothing for {self._send_seconds:g} s")
            if self._gone:
                what = "an image" if isinstance(message, Image) else type(message).__name__
                raise ConnectionLost(f"the client has gone; {what} could not be sent")
            self._outbox.append(message)
        self._wake()

    def consumed(self, nbytes: int) -> None:
        """See ``Peer.consumed``."""
        self._wake()

    def ended(self) -> None:
        """See ``Peer.ended``."""
        self.has_ended = True
        self._wake()

    def take(self) -> Message | None:
        """Return the next message for the client, or None if there is none now."""
        with self._changed:
            if not self._outbox:
                return None
            message = self._outbox.popleft()
            self._changed.notify_all()
            return message

    def leave(self) -> None:
        """Say that the client has gone."""
        with self._changed:
            self._gone = True
            self._changed.notify_all()
