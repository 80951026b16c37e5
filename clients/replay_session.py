"""One session of a replay: a scan out, images in, and what is to be known of them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import ConnectionLost, EchotrainError, RemoteError
from ..engine.messages import Image, Message, Readouts
from .async_client import AsyncClient, AsyncSession
from .replay_compare import ImageName, digest_image, name_image
from .replay_latency import LastSent
from .replay_report import Outcome, SessionReport
from .replay_scan import ReplayScan

GRACE_SECONDS = 5.0
"""Once one direction has ended badly: time for the other to say why."""
_WAITING_DIGESTS = 16  # images that wait for their digest before the next is read


@dataclass(slots=True)
class Tally:
    """Where a replay stands, for whoever watches it."""

    sessions: int = 0
    """Sessions planned."""
    ended: int = 0
    failed: int = 0
    readouts: int = 0
    nbytes: int = 0
    images: int = 0


@dataclass(slots=True)
class ReplaySession:
    """Sends one scan once and keeps what came of it.

    Parameters
    ----------
    name
        For the report.
    scan
        What to send.
    tally
        Counted up while it runs.
    kept
        Where to keep what comes back.
    """

    name: str
    scan: ReplayScan
    tally: Tally
    kept: list[Message] | None = None
    """A list to keep in what came back, images and all; None keeps their digests alone."""
    outcome: Outcome = Outcome.INTERRUPTED
    code: str | None = None
    error: str | None = None
    readouts: int = 0
    nbytes: int = 0
    received: list[tuple[ImageName, bytes]] = field(default_factory=list)
    """Images received, with their digests."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from last readout to image."""
    images: int = 0
    seconds: float = 0.0
    lateness: float | None = None

    async def run(self, client: AsyncClient) -> None:
        """Send the scan and read images until the session is over; whatever goes wrong is kept, not raised."""
        start = time.perf_counter()
        try:
            async with await client.session(self.scan.header, self.scan.chain, self.scan.parameters) as session:
                await self._both_ways(session)
            self.outcome = Outcome.OK
        except RemoteError as error:
            where = f" (gadget {error.gadget})" if error.gadget else ""
            self._failed(error.remote_code, f"{error}{where}")
        except EchotrainError as error:
            self._failed(error.code, str(error))
        except Exception as error:  # noqa: BLE001 the other sessions go on; the report says what it was
            self._failed("client_failed", f"{type(error).__name__}: {error}")
        finally:
            self.seconds = time.perf_counter() - start
            self.tally.ended += 1

    def _failed(self, code: str, text: str) -> None:
        self.outcome, self.code, self.error = Outcome.FAILED, code, text
        self.tally.failed += 1

    async def _both_ways(self, session: AsyncSession) -> None:
        last_sent = LastSent(self.scan.keys)
        sender = asyncio.create_task(self._send(session, last_sent), name=f"{self.name} sender")
        receiver = asyncio.create_task(self._receive(session, last_sent), name=f"{self.name} receiver")
        try:
            await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
            if not receiver.done():  # an engine that refused data says why on the way back
                await asyncio.wait({receiver}, timeout=None if sender.exception() is None else GRACE_SECONDS)
            elif receiver.exception() is None:  # its CLOSE may overtake the end of our own send
                await asyncio.wait({sender}, timeout=GRACE_SECONDS)
            if receiver.done():
                receiver.result()
            if not sender.done():
                raise ConnectionLost(f"the engine closed the session after {self.readouts} readouts, before our CLOSE")
            sender.result()
        finally:
            sender.cancel()
            receiver.cancel()
            await asyncio.gather(sender, receiver, return_exceptions=True)

    async def _send(self, session: AsyncSession, last_sent: LastSent) -> None:
        due = None if self.scan.pace is None else self.scan.pace.due
        start = time.perf_counter()
        for message, first in zip(self.scan.messages, self.scan.firsts, strict=True):
            if not isinstance(message, Readouts):
                if due is not None:  # with the readout that it precedes
                    await _sleep_until(start + due[min(first, len(due) - 1)])
                await session.send(message)
            elif due is None:
                await self._send_block(session, last_sent, message, first)
            else:
                await self._send_paced(session, last_sent, message, first, start + due[first : first + len(message)])
        await session.finish()

    async def _send_paced(
        self, session: AsyncSession, last_sent: LastSent, block: Readouts, first: int, due: NDArray[np.float64]
    ) -> None:
        """Send readouts one by one, those that are due together as one block."""
        done = 0
        while done < len(block):
            now = await _sleep_until(due[done])
            self.lateness = max(self.lateness or 0.0, now - due[done])
            until = max(done + 1, int(np.searchsorted(due, now, side="right")))
            await self._send_block(session, last_sent, block[done:until], first + done)
            done = until

    async def _send_block(self, session: AsyncSession, last_sent: LastSent, block: Readouts, first: int) -> None:
        # marked twice: an image may be back before send returns, and send may have waited for the engine
        last_sent.mark(first, first + len(block), time.perf_counter())
        await session.send(block)
        last_sent.mark(first, first + len(block), time.perf_counter())
        self.readouts += len(block)
        self.nbytes += block.nbytes
        self.tally.readouts += len(block)
        self.tally.nbytes += block.nbytes
        await asyncio.sleep(0)  # a send that never waits must not keep other sessions from theirs

    async def _receive(self, session: AsyncSession, last_sent: LastSent) -> None:
        waiting: deque[tuple[ImageName, asyncio.Future[bytes]]] = deque()
        try:
            async for message in session:
                if self.kept is not None:
                    self.kept.append(message)
                if not isinstance(message, Image):
                    continue
                latency = last_sent.latency(message.header, time.perf_counter())
                if latency is not None:
                    self.latencies.append(latency)
                self.images += 1
                self.tally.images += 1
                # in threads: the next image's time of arrival must not wait for this one's digest
                waiting.append((name_image(message), asyncio.ensure_future(asyncio.to_thread(digest_image, message))))
                if len(waiting) >= _WAITING_DIGESTS:
                    name, digest = waiting.popleft()
                    self.received.append((name, await digest))
        finally:
            self.received += [(name, await digest) for name, digest in waiting]

    def report(self) -> SessionReport:
        """Return what is to be said of the session."""
        return SessionReport(
            name=self.name,
            file=self.scan.source,
            outcome=self.outcome,
            code=self.code,
            error=self.error,
            readouts=self.readouts,
            nbytes=self.nbytes,
            images=self.images,
            seconds=self.seconds,
            lateness_seconds=self.lateness,
        )


async def _sleep_until(when: float) -> float:
    """Wait for a time of ``perf_counter``, and return the time that it is then."""
    now = time.perf_counter()
    while now < when:
        await asyncio.sleep(when - now)
        now = time.perf_counter()
    return now
