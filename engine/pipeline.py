"""A started chain at work: cut before its heavy gadgets, one worker a segment, bounded queues between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .chain import Chain
from .messages import Message
from .worker import Worker


@dataclass(frozen=True, slots=True)
class _Last:
    """The scan has ended: finish the segment, then pass this on."""


@dataclass(slots=True)
class _Segment:
    """A stretch of the chain between two heavy gadgets, and since when it has been busy (None: idle)."""

    chain: Chain
    worker: Worker[Message | _Last] | None = None
    busy_since: float | None = None


class Pipeline:
    """Takes messages through a chain. The first segment runs in the caller's thread, the others in workers.

    Parameters
    ----------
    chain
        Started.
    name
        Of the session, for the threads' names.
    deliver
        Called with every message that leaves the chain, from the last segment's thread.
    drained
        Called once, after everything has left.
    guarded
        Calls what it is given and deals with what that raises.
    stopped
        Whether what is still inside is not wanted any more.
    """

    def __init__(
        self,
        chain: Chain,
        name: str,
        *,
        deliver: Callable[[Message], None],
        drained: Callable[[], None],
        guarded: Callable[[Callable[[], None]], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._deliver = deliver
        self._drained = drained
        self._guarded = guarded
        self._stopped = stopped
        self._segments = [_Segment(part) for part in chain.segments()]
        for number, segment in enumerate(self._segments[1:], start=1):
            segment.worker = Worker(self._handler(number), name=f"{segment.chain.names[0]}-{name}")

    def feed(self, message: Message) -> None:
        """Take a message in; blocks while the segment behind is full."""
        self._advance(0, message)

    def finish(self) -> None:
        """Finish every segment in turn, then call ``drained``."""
        self._advance(0, _Last())

    def overdue(self, now: float, seconds: float) -> tuple[str, float] | None:
        """Return a gadget that has not returned for over ``seconds``, and for how long; None if there is none."""
        for segment in self._segments:
            since = segment.busy_since
            if since is not None and now - since > seconds:
                return segment.chain.current or "?", now - since
        return None

    def _handler(self, number: int) -> Callable[[Message | _Last], None]:
        return lambda message: self._guarded(lambda: self._advance(number, message))

    def _advance(self, number: int, message: Message | _Last) -> None:
        """Take a message through one segment; what comes out goes to the next one or to the client."""
        segment = self._segments[number]
        if isinstance(message, _Last):
            results = segment.chain.finish()
        elif waiting := _waiting_with(message, segment):
            results = segment.chain.feed_many([message, *waiting])
        else:
            results = segment.chain.feed(message)
        segment.busy_since = time.monotonic()
        try:
            for result in results:
                segment.busy_since = None  # waiting for the next segment or for the client is nobody's fault here
                self._hand_on(number, result)
                segment.busy_since = time.monotonic()
                if self._stopped():
                    return
        finally:
            segment.busy_since = None
        if isinstance(message, _Last):
            self._hand_on(number, message)

    def _hand_on(self, number: int, result: Message | _Last) -> None:
        worker = self._segments[number + 1].worker if number + 1 < len(self._segments) else None
        if worker is not None:
            worker.put_blocking(result, self._stopped)
        elif isinstance(result, _Last):
            self._drained()
        else:
            self._deliver(result)


def _waiting_with(message: Message, segment: _Segment) -> list[Message]:
    """Take what waits behind a message and its gadget would take together with it."""
    most = segment.chain.at_once(message)
    if segment.worker is None or most == 1:
        return []
    items = segment.worker.take_waiting(most - 1, lambda item: segment.chain.at_once(item) > 1)
    return [item for item in items if isinstance(item, Message)]
