"""The library client, synchronous: the asynchronous one on a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..engine.messages import Header, Image, Message
from .async_client import AsyncClient, AsyncSession, Protocol

if TYPE_CHECKING:
    from ..engine.curve_keys import CurveClient
    from ..engine.engine import Engine
    from .scan_file import Scan

T = TypeVar("T")


class Session:
    """One scan under way; see ``AsyncSession``. Use it as a context manager."""

    def __init__(self, client: Client, session: AsyncSession) -> None:
        self._client = client
        self._session = session

    def send(self, message: Message) -> None:
        """Send readouts, a waveform or a text; waits while the engine is behind."""
        self._client.wait(self._session.send(message))

    def finish(self) -> None:
        """Say that no more data come."""
        self._client.wait(self._session.finish())

    def __iter__(self) -> Iterator[Message]:
        """Yield images, texts and progress as they come, until the session is over."""
        iterator = self._session.__aiter__()
        while True:
            message = self._client.wait(_next(iterator))
            if message is None:
                return
            yield message

    def close(self) -> None:
        """Leave, whether the session is over or not."""
        self._client.wait(self._session.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _next(iterator: Any) -> Message | None:
    message: Message | None = await anext(iterator, None)
    return message


class Client:
    """Talks to an engine; parameters as for ``AsyncClient``. Use it as a context manager, or call ``close``."""

    def __init__(
        self,
        address: str = "tcp://127.0.0.1:9001",
        *,
        protocol: Protocol = "zmq",
        engine: Engine | None = None,
        curve: CurveClient | None = None,
    ) -> None:
        self._client = AsyncClient(address, protocol=protocol, engine=engine, curve=curve)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="echotrain client", daemon=True)
        self._thread.start()

    @classmethod
    def embedded(cls) -> Self:
        """Return a client of an engine of its own in this process: no server, no socket."""
        from ..engine.engine import Engine

        return cls(engine=Engine())

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the client's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def session(self, header: Header, chain: str = "default", parameters: Mapping[str, Any] | None = None) -> Session:
        """Begin a scan; see ``AsyncClient.session``."""
        return Session(self, self.wait(self._client.session(header, chain, parameters)))

    def reconstruct(
        self,
        scan: Scan | str | os.PathLike[str],
        chain: str = "default",
        parameters: Mapping[str, Any] | None = None,
    ) -> list[Image]:
        """Send a scan (or the path of one) and return its images; see ``AsyncClient.reconstruct``."""
        return self.wait(self._client.reconstruct(scan, chain, parameters))

    def close(self) -> None:
        """End the client's thread."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
