"""MRD over TCP: the listener.

A connection has no thread, no task and no timer of its own, and no receive buffer until it is sent something: thousands
may idle.
"""

from __future__ import annotations

import asyncio
import contextlib

from ..engine import Engine
from .mrd_peer import LINGER_SECONDS, MrdPeer

_BACKLOG = 1024


class MrdListener:
    """Listens for MRD clients and brings them to an engine.

    Parameters
    ----------
    engine
        Takes the sessions.
    host, port
        Where to listen; port 0 takes any free one.
    """

    def __init__(self, engine: Engine, host: str, port: int) -> None:
        self.engine = engine
        self._connections: set[MrdPeer] = set()
        self._empty = asyncio.Event()
        self.scratch = memoryview(bytearray(64 * 1024))  # takes the bytes that are ignored
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        limits = engine.limits
        times = (limits.handshake_seconds, limits.message_seconds, limits.idle_seconds, limits.send_seconds)
        self._period = min(1.0, min(times) / 4)

    async def start(self) -> None:
        """Begin to listen.

        Raises
        ------
        OSError
            The address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: MrdPeer(self, loop), self._host, self._port, backlog=_BACKLOG)
        self._sweeping = loop.call_later(self._period, self._sweep, loop)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        if self._server is None or not self._server.sockets:
            return self._host, self._port
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def close(self) -> None:
        """Stop listening. Sessions that have ended are given time for their last bytes; others are cut off."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.leave()
        if self._connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), LINGER_SECONDS)
        for connection in list(self._connections):
            connection.abort()
        if self._connections:
            await self._empty.wait()
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._server.wait_closed()
        self._server = None

    def add(self, connection: MrdPeer) -> None:
        """Watch a connection."""
        self._connections.add(connection)
        self._empty.clear()

    def discard(self, connection: MrdPeer) -> None:
        """Forget a connection that is gone."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._connections):
            connection.check(now)
        self._sweeping = loop.call_later(self._period, self._sweep, loop)
