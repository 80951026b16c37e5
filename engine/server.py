"""The daemon: an engine with its listeners, until SIGTERM or SIGINT drains it."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack

from .allocator import keep_freed_memory
from .chain_config import ChainLibrary
from .curve_keys import load_server
from .engine import Engine
from .errors import ConfigurationError
from .http import HttpServer
from .logs import get_logger
from .registry import Registry
from .settings import Settings, host_port
from .transports.mrd_tcp import MrdListener
from .transports.zmq_router import ZmqListener

SWITCH_SECONDS = 0.0005
"""How long a thread that computes in Python may keep the interpreter from one that waits for it. With Python's 5 ms the
receiving thread stands still behind every gadget; eight repetitions of 64 MiB took 0.13 s instead of 0.12 s."""


class Server:
    """An engine that listens as its settings say.

    Parameters
    ----------
    settings
        Checked settings.
    registry
        The gadgets that chains may name.
    """

    def __init__(self, settings: Settings, registry: Registry | None = None) -> None:
        self.settings = settings
        library = ChainLibrary(*([settings.chains] if settings.chains is not None else []))
        self.engine = Engine(
            registry,
            library,
            limits=settings.limits.limits(),
            recordings=settings.record,
            images=settings.images,
            seed=settings.seed,
            record_sync_seconds=settings.record_sync_seconds,
        )
        self.mrd: MrdListener | None = None
        self.zmq: ZmqListener | None = None
        self.http: HttpServer | None = None
        self._stop = asyncio.Event()
        self._ready = False
        self._log = get_logger()

    async def run(self) -> bool:
        """Serve until a signal or ``stop``; then take no new sessions and wait for those there are.

        Returns
        -------
        bool
            Whether every session ended by itself.

        Raises
        ------
        ConfigurationError
            An address cannot be listened on, or keys cannot be read.
        """
        if self.settings.memory_mib is not None:
            _limit_memory(int(self.settings.memory_mib * 2**20))
        keep_freed_memory()
        sys.setswitchinterval(SWITCH_SECONDS)
        _allow_many_connections()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            async with AsyncExitStack() as stack:
                await self._listen(stack)
                self._ready = True
                self._log.info("ready", **self.addresses)
                await self._keep_house()
                self._ready = False
                self._log.info("draining", seconds=self.settings.drain_seconds)
                clean = await asyncio.to_thread(self.engine.drain, self.settings.drain_seconds)
            self._log.info("stopped", clean=clean)
            return clean
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Begin to drain; to be called in the loop's thread."""
        self._stop.set()

    @property
    def addresses(self) -> dict[str, str]:
        """Where it listens, with real ports."""
        found = {}
        if self.zmq is not None:
            found["zmq"] = self.zmq.endpoint
        if self.mrd is not None:
            found["mrd"] = "tcp://{}:{}".format(*self.mrd.address)
        if self.http is not None:
            found["http"] = "http://{}:{}".format(*self.http.address)
        return found

    async def _listen(self, stack: AsyncExitStack) -> None:
        if self.settings.http is not None:
            self.http = HttpServer(self.engine, self.settings.http, lambda: self._ready)
            self.http.start()
            stack.callback(self.http.close)
        if self.settings.mrd is not None:
            self.mrd = MrdListener(self.engine, *host_port(self.settings.mrd))
            await _started(self.mrd, "mrd", self.settings.mrd)
            stack.push_async_callback(self.mrd.close)
        if self.settings.zmq is not None:
            curve = None if self.settings.curve is None else load_server(self.settings.curve)
            self.zmq = ZmqListener(self.engine, self.settings.zmq, curve=curve, insecure=self.settings.insecure)
            await _started(self.zmq, "zmq", self.settings.zmq)
            stack.push_async_callback(self.zmq.close)

    async def _keep_house(self) -> None:
        while not self._stop.is_set():
            self.engine.check_time()
            try:
                await asyncio.wait_for(self._stop.wait(), 1.0)
            except TimeoutError:
                continue


async def _started(listener: MrdListener | ZmqListener, name: str, endpoint: str) -> None:
    try:
        await listener.start()
    except OSError as error:
        raise ConfigurationError(f"{name} {endpoint} cannot be listened on: {error.strerror or error}") from error


def _allow_many_connections() -> None:
    """Raise the soft limit of open files to the hard one: every connection is a file, and shells often allow 1,024."""
    import resource  # not on every platform

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _limit_memory(nbytes: int) -> None:
    import resource  # not on every platform, and only here where it is asked for

    resource.setrlimit(resource.RLIMIT_DATA, (nbytes, resource.getrlimit(resource.RLIMIT_DATA)[1]))
