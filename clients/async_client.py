"""The library client, asynchronous: raw data in, images out, over any transport."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from ..engine.chain_config import NAME
from ..engine.errors import ConfigurationError, ConnectionLost, RemoteError
from ..engine.messages import Close, ConfigName, ConfigText, Fault, Header, Image, Message, Parameters, Text
from ..engine.mrd_fault import read_fault
from .connection import Connection

if TYPE_CHECKING:
    from ..engine.curve_keys import CurveClient
    from ..engine.engine import Engine
    from .scan_file import Scan

Protocol = Literal["zmq", "mrd"]


class AsyncSession:
    """One scan under way: send its data, read what comes back. Made by ``AsyncClient.session``.

    What the engine sends is read in the background, so that a client which only sends blocks nothing.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._received: asyncio.Queue[Message | RemoteError | None] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read(), name="session reader")
        self._over = False
        self._failure: RemoteError | None = None
        self._finished = False

    async def send(self, message: Message) -> None:
        """Send readouts, a waveform or a text; waits while the engine is behind.

        Raises
        ------
        RemoteError
            The session has failed at the engine.
        """
        if self._failure is not None:
            raise self._failure
        try:
            await self._connection.send(message)
        except ConnectionLost:
            await asyncio.wait({self._reader}, timeout=5)  # the engine's own words, if it left any, say more
            if self._failure is not None:
                raise self._failure from None
            raise

    async def finish(self) -> None:
        """Say that no more data come. Doing it twice is harmless."""
        if not self._finished:
            self._finished = True
            await self.send(Close())

    async def exchange(self, messages: AsyncIterable[Message]) -> AsyncIterator[Message]:
        """Send messages as they come, then finish, and meanwhile yield what the engine sends.

        Raises
        ------
        RemoteError
            The session failed; everything that came before it has been yielded.
        """
        sender = asyncio.create_task(self._send_all(messages), name="session sender")
        try:
            async for message in self:
                yield message
            await sender
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _send_all(self, messages: AsyncIterable[Message]) -> None:
        try:
            async for message in messages:
                await self.send(message)
            await self.finish()
        except RemoteError:
            if not self._reader.done():
                raise  # else whoever reads learns why

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Yield images, texts and progress as they come, until the session is over.

        Raises
        ------
        RemoteError
            The session failed; everything that came before it has been yielded.
        """
        while not self._over:
            message = await self._received.get()
            if message is None:
                self._over = True
            elif isinstance(message, RemoteError):
                self._over = True
                raise message
            else:
                yield message

    async def _read(self) -> None:
        try:
            while True:
                message = await self._connection.receive()
                match message:
                    case Close():
                        self._received.put_nowait(None)
                        return
                    case Fault(code, text, gadget, number):
                        self._fail(RemoteError(text, code=code, gadget=gadget, message_number=number))
                        return
                    case Text(text) if text.startswith("ERR"):
                        self._fail(_error_from_text(text))
                        return
                    case _:
                        self._received.put_nowait(message)
        except RemoteError as error:
            self._fail(error)

    def _fail(self, error: RemoteError) -> None:
        self._failure = error
        self._received.put_nowait(error)

    async def close(self) -> None:
        """Leave, whether the session is over or not."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncClient:
    """Talks to an engine.

    Parameters
    ----------
    address
        ``tcp://HOST:PORT``.
    protocol
        ``zmq`` (echotrain's own) or ``mrd`` (MRD over TCP).
    engine
        An engine in this process to use instead of an address.
    curve
        Keys for an engine that asks for them (ZeroMQ).
    """

    def __init__(
        self,
        address: str = "tcp://127.0.0.1:9001",
        *,
        protocol: Protocol = "zmq",
        engine: Engine | None = None,
        curve: CurveClient | None = None,
    ) -> None:
        self._address = address
        self._protocol = protocol
        self._engine = engine
        self._curve = curve

    async def connect(self) -> Connection:
        """Return a connection on which no session has begun.

        Raises
        ------
        ConnectionLost
            Nobody answers at the address.
        """
        if self._engine is not None:
            from .memory_connection import MemoryConnection

            return MemoryConnection(self._engine)
        if self._protocol == "mrd":
            from ..engine.settings import host_port
            from .mrd_connection import MrdConnection

            return await MrdConnection.connect(*host_port(self._address))
        from .zmq_connection import ZmqConnection

        return await ZmqConnection.connect(self._address, curve=self._curve)

    async def session(
        self, header: Header, chain: str = "default", parameters: Mapping[str, Any] | None = None
    ) -> AsyncSession:
        """Begin a scan.

        Parameters
        ----------
        header
            The scan's MRD header.
        chain
            Name of a chain installed at the engine, or a chain's TOML text.
        parameters
            ``"gadget.field"`` -> value, set in the chain before it is built.

        Raises
        ------
        RemoteError
            The engine refuses; over MRD/TCP that shows with the first ``send`` or message.
        """
        connection = await self.connect()
        overrides = None if not parameters else Parameters(None, MappingProxyType(dict(parameters)))
        try:
            await connection.open(as_config(chain), header, overrides)
        except BaseException:
            await connection.close()
            raise
        return AsyncSession(connection)

    async def reconstruct(
        self,
        scan: Scan | str | os.PathLike[str],
        chain: str = "default",
        parameters: Mapping[str, Any] | None = None,
        on_message: Callable[[Message], None] | None = None,
    ) -> list[Image]:
        """Send a scan and return its images.

        Parameters
        ----------
        scan
            A scan, or the path of an MRD file.
        chain, parameters
            As for ``session``.
        on_message
            Called with every message as it comes, images included.

        Raises
        ------
        RemoteError
            The session failed at the engine.
        """
        if isinstance(scan, str | os.PathLike):
            from .scan_file import read_scan

            scan = await asyncio.to_thread(read_scan, Path(scan))
        images = []
        async with await self.session(scan.header, chain, parameters) as session:
            async for message in session.exchange(from_blocking(scan.messages)):
                if isinstance(message, Image):
                    images.append(message)
                if on_message is not None:
                    on_message(message)
        return images


async def from_blocking(messages: Iterable[Message]) -> AsyncIterator[Message]:
    """Give what an iterable gives, which may read a file, without holding the event loop up."""
    iterator = iter(messages)
    while (message := await asyncio.to_thread(next, iterator, None)) is not None:
        yield message


def as_config(chain: str) -> ConfigName | ConfigText:
    """Return a chain's name or TOML text as a configuration message.

    Raises
    ------
    ConfigurationError
        It is neither.
    """
    if NAME.fullmatch(chain):
        return ConfigName(chain)
    if "[[chain]]" in chain:
        return ConfigText(chain)
    raise ConfigurationError(
        f"chain is {chain[:200]!r}, expected the name of a chain or TOML text with [[chain]] tables"
    )


def _error_from_text(text: str) -> RemoteError:
    """Read an error back from the text that MRD/TCP carries it in."""
    fault = read_fault(text)
    if fault is None:
        return RemoteError(text)
    return RemoteError(fault.text, code=fault.code, gadget=fault.gadget, message_number=fault.message_number)
