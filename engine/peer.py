"""The seam between a session's runner and the transport that carries it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .messages import Message


@dataclass(frozen=True, slots=True)
class Frame:
    """A received message with the MRD bytes that it came in."""

    message: Message
    raw: memoryview | bytes | None
    """The message's MRD stream bytes as received; None if it came in another encoding, which the recorder encodes."""
    nbytes: int
    """Bytes that it holds in memory, for the queue's accounting."""


class Peer(Protocol):
    """What a transport offers to the runner of a session. Called from worker threads."""

    def send(self, message: Message) -> None:
        """Send to the client; blocks while it reads too slowly.

        Raises
        ------
        ConnectionLost
            The client has gone.
        SessionTimeout
            It has read nothing for ``Limits.send_seconds``.
        """

    def consumed(self, nbytes: int) -> None:
        """Frames of so many bytes have left the queue: go on reading, or grant credit."""

    def ended(self) -> None:
        """The session has ended: close the connection once everything sent has gone out."""
