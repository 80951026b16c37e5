"""The client's end of MRD over TCP."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Self

from ..engine.errors import ConnectionLost, ProtocolError
from ..engine.limits import Limits
from ..engine.messages import Close, ConfigName, ConfigText, Header, Message, Parameters
from ..engine.mrd_codec import MrdDecoder, ReceiveBuffer, encode


class MrdConnection:
    """A ``Connection`` to any MRD server; ``connect`` makes it.

    Parameters
    ----------
    sock
        A connected, non-blocking socket; the connection owns it from here on.
    limits
        What the engine may send.
    """

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._buffer = ReceiveBuffer(MrdDecoder(limits))
        self._received: deque[Message] = deque()
        self._closed = False
        self._failure: ConnectionLost | None = None

    @classmethod
    async def connect(cls, host: str, port: int, *, limits: Limits | None = None) -> Self:
        """Connect.

        Raises
        ------
        ConnectionLost
            Nobody answers there.
        """
        loop = asyncio.get_running_loop()
        why: OSError = OSError("the name has no address")
        try:
            addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            addresses, why = [], error
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            try:
                await loop.sock_connect(sock, address)
            except OSError as error:
                sock.close()
                why = error
            except BaseException:
                sock.close()
                raise
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return cls(sock, limits or Limits())
        raise ConnectionLost(f"no engine answers at {host}:{port}: {why}")

    async def open(self, config: ConfigName | ConfigText, header: Header, parameters: Parameters | None = None) -> None:
        """Begin the scan; over MRD an engine that refuses says so with the first message received.

        Raises
        ------
        ConnectionLost
            The connection ended.
        """
        for message in (config, header) if parameters is None else (config, header, parameters):
            await self.send(message)

    async def send(self, message: Message) -> None:
        """Send one message; waits while the engine is behind.

        Raises
        ------
        ConnectionLost
            The connection ended; ``receive`` may still have what the engine said before.
        """
        try:
            for piece in encode(message):
                await self._loop.sock_sendall(self._socket, piece)
        except OSError as error:
            raise ConnectionLost(f"the engine takes no more: {error}") from None

    async def receive(self) -> Message:
        """Return the engine's next message; the last one is ``Close``.

        A failure of the session comes as a ``Text`` that begins with ERR; ``engine.mrd_fault`` reads it.

        Raises
        ------
        ConnectionLost
            The connection ended, what came cannot be read, or ``Close`` had been received before.
        """
        while not self._received:
            if self._closed:
                raise ConnectionLost("the session is over")
            if self._failure is not None:
                raise self._failure
            try:
                count = await self._loop.sock_recv_into(self._socket, self._buffer.room())
                self._received.extend(frame.message for frame in self._buffer.received(count))
                if not count:
                    self._buffer.decoder.finish()
                    self._failure = ConnectionLost("the engine closed the connection without CLOSE")
            except OSError as error:
                self._failure = ConnectionLost(f"the connection to the engine broke: {error}")
            except ProtocolError as error:  # what came before it is given out first
                self._failure = ConnectionLost(f"the engine sent what cannot be read: {error}")
        message = self._received.popleft()
        self._closed = isinstance(message, Close)
        return message

    async def close(self) -> None:
        """Leave, whether the session is over or not. Doing it twice is harmless."""
        self._closed = True
        self._received.clear()
        self._socket.close()
