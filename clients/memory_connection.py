"""The client's end of an engine in the same process."""

from __future__ import annotations

import asyncio

import numpy as np

from ..engine.engine import Engine
from ..engine.errors import ConnectionLost
from ..engine.messages import Close, ConfigName, ConfigText, Header, Image, Message, Parameters, Readouts
from ..engine.peer import Frame
from ..engine.transports.memory import MemoryPeer


class MemoryConnection:
    """A ``Connection`` without a wire. Arrays are shared with the engine, not copied.

    Parameters
    ----------
    engine
        The engine to talk to.
    """

    def __init__(self, engine: Engine) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._peer = MemoryPeer(engine.limits.send_seconds, self._wake)
        self._runner = engine.open(self._peer, transport="memory", remote="this process")
        self._closed = False

    @property
    def session_id(self) -> str:
        """The session's id at the engine."""
        return self._runner.session_id

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._changed.set)
        except RuntimeError:  # the loop is closed: nobody waits any more
            self._peer.leave()

    async def open(self, config: ConfigName | ConfigText, header: Header, parameters: Parameters | None = None) -> None:
        """Begin the scan."""
        for message in (config, header):
            self._put(message)
        if parameters is not None:
            self._put(parameters)
        self._runner.begin()

    async def send(self, message: Message) -> None:
        """Hand a message to the engine, once it has room.

        Raises
        ------
        ConnectionLost
            The engine has ended the session.
        """
        while self._runner.full and not self._peer.has_ended:
            self._changed.clear()
            if self._runner.full:
                await self._changed.wait()
        if self._peer.has_ended and not isinstance(message, Close):
            raise ConnectionLost("the engine has ended the session")
        self._put(message)

    def _put(self, message: Message) -> None:
        nbytes = 256
        if isinstance(message, Readouts):
            nbytes += message.nbytes
        elif isinstance(message, Image):
            nbytes += int(np.asarray(message.pixels).nbytes)
        self._runner.put(Frame(message, None, nbytes))

    async def receive(self) -> Message:
        """Return the engine's next message; the last one is ``Close``.

        Raises
        ------
        ConnectionLost
            ``Close`` was received before.
        """
        while True:
            message = self._peer.take()
            if message is not None:
                self._closed = self._closed or isinstance(message, Close)
                return message
            if self._closed:
                raise ConnectionLost("the session is over")
            self._changed.clear()
            message = self._peer.take()
            if message is not None:
                self._closed = self._closed or isinstance(message, Close)
                return message
            await self._changed.wait()

    async def close(self) -> None:
        """Leave; a session that has not ended is cancelled."""
        self._peer.leave()
        if not self._peer.has_ended:
            self._runner.lost(ConnectionLost("the client left before the session ended"))
