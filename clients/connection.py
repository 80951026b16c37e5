"""What the library client needs of a transport: one session a connection."""

from __future__ import annotations

from typing import Protocol

from ..engine.messages import ConfigName, ConfigText, Header, Message, Parameters


class Connection(Protocol):
    """The client's end of one session, over whatever carries it.

    ``send`` and ``receive`` may run at the same time, each from one task.
    """

    async def open(self, config: ConfigName | ConfigText, header: Header, parameters: Parameters | None = None) -> None:
        """Begin the scan.

        Raises
        ------
        RemoteError
            The engine refuses, as far as the protocol says so at once.
        ConnectionLost
            The connection ended.
        """

    async def send(self, message: Message) -> None:
        """Send one message; waits while the engine is behind. ``Close`` says that no more data come.

        Raises
        ------
        ConnectionLost
            The connection ended; ``receive`` may still have what the engine said before.
        """

    async def receive(self) -> Message:
        """Return the engine's next message; the last one is ``Close``.

        Raises
        ------
        ConnectionLost
            The connection ended, or ``Close`` had been received before.
        """

    async def close(self) -> None:
        """Leave, whether the session is over or not. Doing it twice is harmless."""
