"""Drives one session: frames in from a transport, through recorder, session and chain, messages out to the peer.

::

    put ── frames ──> [recording worker] ──> [session worker: Session, first segment] ──> [segment workers] ──> peer

Every stage is a ``Worker``. Without recording, a full queue makes the transport stop reading, which slows the scanner
down. With it, what does not fit in memory stays on disk and is read back from the recording when its turn comes: the
scanner is never slowed and nothing is dropped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from .chain import Chain
from .errors import Cancelled, ConnectionLost, EchotrainError, GadgetError, GadgetHung, LimitExceeded, Refused
from .limits import Limits
from .logs import get_logger
from .messages import Image, Message, Progress, Query, Readouts, Response, Text, Waveform
from .peer import Frame, Peer
from .recorder import Recorder
from .recordings import read_frames
from .session import Answer, Build, Feed, Finish, Note, Order, Send, Session, State
from .worker import Worker


@dataclass(frozen=True, slots=True)
class _Begin:
    """Nothing will follow the header but data: build the chain."""


@dataclass(frozen=True, slots=True)
class _Lost:
    """The transport failed; everything before it in the queue arrived."""

    error: EchotrainError


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A frame in memory, and when it came (monotonic seconds)."""

    frame: Frame
    at: float


@dataclass(frozen=True, slots=True)
class _OnDisk:
    """A stretch of the recording that did not fit into memory."""

    offset: int
    nbytes: int
    at: float


@dataclass(frozen=True, slots=True)
class _Last:
    """The scan has ended: finish the segment, then pass this on."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """The session has ended: close the recording once everything before it is written."""

    outcome: str


_Item = _Begin | _Lost | _Arrived | _OnDisk | _Ended


@dataclass(slots=True)
class _Segment:
    """A stretch of the chain between two heavy gadgets, and since when it has been busy (None: idle)."""

    chain: Chain
    worker: Worker[Message | _Last] | None = None
    busy_since: float | None = None


@dataclass(slots=True)
class Counts:
    """What a session has seen so far."""

    readouts: int = 0
    received_bytes: int = 0
    images: int = 0
    faults: list[str] = field(default_factory=list)


UNWRITTEN_BYTES = 2 * 1024 * 1024
"""Received bytes that may wait to be recorded: no more is lost by a crash, and so much is still in the processor's
cache when it is written."""


class Host(Protocol):
    """What the runner needs of its engine."""

    limits: Limits

    def build(self, order: Build, runner: Runner) -> Chain:
        """Build and start the chain that a client asks for."""

    def answer(self, query: Query) -> Response:
        """Answer a query."""

    def ended(self, runner: Runner, outcome: str) -> None:
        """Forget a session that has ended."""

    def delivered(self, message: Message, seconds: float) -> None:
        """Count what was sent and the seconds since the data that caused it came."""


class Runner:
    """One session at work.

    Parameters
    ----------
    host
        The engine.
    peer
        The transport's end.
    session_id, transport, remote
        For the log.
    recorder
        Where received bytes go first, or None.
    """

    def __init__(
        self, host: Host, peer: Peer, *, session_id: str, transport: str, remote: str, recorder: Recorder | None = None
    ) -> None:
        self.session_id = session_id
        self.transport = transport
        self.remote = remote
        self.recorder = recorder
        self.counts = Counts()
        self.chain_name = ""
        self.log = get_logger().bind(session=session_id, transport=transport)
        self._host = host
        self._peer = peer
        self._session = Session()
        self._lock = threading.RLock()  # guards the session's transitions, which two workers may cause
        self._waiting = 0
        self._unwritten = 0  # of the waiting bytes, those that are yet to be recorded
        self._waiting_lock = threading.Lock()
        self._segments: list[_Segment] = []
        self._cancelled = threading.Event()
        self._ended = False
        self._last_arrival = time.monotonic()
        self._inbox: Worker[_Item] = Worker(self._handle, name=f"session-{session_id[:8]}")
        self._disk: Worker[_Item] | None = None
        if recorder is not None:
            self._disk = Worker(self._record, name=f"record-{session_id[:8]}")

    # what transports call

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._session.state

    @property
    def full(self) -> bool:
        """Whether the transport should stop reading until ``Peer.consumed``."""
        return self._waiting >= self._host.limits.queue_bytes or self._unwritten >= UNWRITTEN_BYTES

    @property
    def backlog(self) -> int:
        """Frames that wait for a worker: while there are any, a transport does well to gather more into one block."""
        return len(self._inbox if self._disk is None else self._disk)

    @property
    def waiting_bytes(self) -> int:
        """Received bytes that wait in memory."""
        return self._waiting

    @property
    def cancelled(self) -> bool:
        """Whether the session has been told to stop."""
        return self._cancelled.is_set()

    def put(self, frame: Frame) -> None:
        """Take a frame; never blocks."""
        self._count(frame)
        with self._waiting_lock:
            self._waiting += frame.nbytes
            if self._disk is not None:
                self._unwritten += frame.nbytes
        self._enqueue(_Arrived(frame, time.monotonic()))

    def begin(self) -> None:
        """Say that no parameters follow the header, so that the chain is built at once."""
        self._enqueue(_Begin())

    def lost(self, error: EchotrainError) -> None:
        """Say that the connection failed; what came before it is still recorded and reconstructed."""
        self._enqueue(_Lost(error))

    def cancel(self, reason: str) -> None:
        """End the session now."""
        self._fail(Cancelled(reason))

    def _enqueue(self, item: _Item) -> None:
        try:
            (self._inbox if self._disk is None else self._disk).put(item)
        except Refused as error:
            if isinstance(item, _Arrived):
                if self._disk is not None:
                    self._written(item.frame)
                self._release(item.frame)
            self._fail(error)

    def _count(self, frame: Frame) -> None:
        self.counts.received_bytes += frame.nbytes
        if isinstance(frame.message, Readouts):
            self.counts.readouts += len(frame.message)

    # recording worker

    def _record(self, item: _Item) -> None:
        assert self.recorder is not None
        match item:
            case _Arrived(frame, at):
                try:
                    offset, nbytes = self.recorder.append(frame)
                except EchotrainError as error:
                    self._written(frame)
                    self._release(frame)
                    if not self._ended:
                        self._fail(error)
                    return
                self._written(frame)
                room = self._host.limits.queue_bytes // 2
                if self._waiting - self._unwritten > room and self.recorder.is_open and len(self._inbox):
                    on_disk = _OnDisk(offset, nbytes, at)
                    if not self._inbox.replace_last(lambda last: _joined(last, on_disk)):
                        self._inbox.put(on_disk)
                    self._release(frame)
                else:
                    self._inbox.put(item)
            case _Ended(outcome):
                self._close_recording(outcome)
            case _:
                self._inbox.put(item)

    def _written(self, frame: Frame) -> None:
        with self._waiting_lock:
            held_up = self._unwritten >= UNWRITTEN_BYTES
            self._unwritten -= frame.nbytes
        if held_up or not self.backlog:
            self._peer.consumed(0)  # nothing has left the queue, but reading may go on, and what was gathered is wanted

    # session worker

    def _handle(self, item: _Item) -> None:
        match item:
            case _Arrived(frame, at):
                self._last_arrival = at
                self._guarded(lambda: self._receive(frame.message))
                self._release(frame)
            case _OnDisk():
                self._guarded(lambda: self._receive_from_disk(item))
            case _Begin():
                self._guarded(lambda: self._carry_out(self._session.begin()))
                self._peer.consumed(0)
            case _Lost(error) if self._session.state is not State.CLOSED:
                self.log.warning("connection lost", error=str(error))
                self._fail(error)
            case _Lost():
                pass
            case _Ended():  # meant for the recording worker
                pass

    def _receive(self, message: Message) -> None:
        if self._session.state is State.CLOSED:
            return
        limit = self._host.limits.session_bytes
        if limit and self.counts.received_bytes > limit:
            raise LimitExceeded(f"the session sent {self.counts.received_bytes} bytes, at most {limit} are allowed")
        with self._lock:
            orders = self._session.receive(message)
        self._carry_out(orders)

    def _receive_from_disk(self, stretch: _OnDisk) -> None:
        assert self.recorder is not None
        self._last_arrival = stretch.at
        for frame in read_frames(self.recorder.path, stretch.offset, stretch.nbytes):
            self._receive(frame.message)

    def _carry_out(self, orders: list[Order]) -> None:
        for order in orders:
            match order:
                case Build():
                    chain = self._host.build(order, self)
                    self._segments = [_Segment(part) for part in chain.segments()]
                    for number in range(1, len(self._segments)):
                        self._segments[number].worker = Worker(
                            lambda message, number=number: self._handle_in_segment(number, message),  # type: ignore[misc]
                            name=f"{self._segments[number].chain.names[0]}-{self.session_id[:8]}",
                        )
                case Feed(message):
                    self._advance(0, message)
                case Finish():
                    self._advance(0, _Last())
                case Answer(query):
                    self._deliver(self._host.answer(query))
                case Note(text):
                    self.log.info("client says", text=text[:2000])
                case Send(message):
                    self._send(message)
        if self._session.state is State.CLOSED:
            self._end("completed" if not self.counts.faults else self.counts.faults[0])

    # segments

    def _handle_in_segment(self, number: int, message: Message | _Last) -> None:
        self._guarded(lambda: self._advance(number, message))

    def _advance(self, number: int, message: Message | _Last) -> None:
        """Take a message through one segment; what comes out goes to the next one or to the client."""
        segment = self._segments[number]
        results = segment.chain.finish() if isinstance(message, _Last) else segment.chain.feed(message)
        segment.busy_since = time.monotonic()
        try:
            for result in results:
                segment.busy_since = None
                self._hand_on(number, result)
                segment.busy_since = time.monotonic()
                if self._cancelled.is_set():
                    return
        finally:
            segment.busy_since = None
        if isinstance(message, _Last):
            self._hand_on(number, message)

    def _hand_on(self, number: int, result: Message | _Last) -> None:
        if number + 1 < len(self._segments):
            worker = self._segments[number + 1].worker
            assert worker is not None
            worker.put_blocking(result, self._cancelled.is_set)
        elif isinstance(result, _Last):
            with self._lock:
                orders = self._session.drained()
            self._carry_out(orders)
        else:
            self._deliver(result)

    # sending and ending

    def _deliver(self, message: Message) -> None:
        if self._session.state is State.CLOSED:
            return
        if isinstance(message, Image):
            self.counts.images += 1
        elif isinstance(message, Text):
            self.log.info("chain says", text=message.text)
        self._send(message)
        self._host.delivered(message, time.monotonic() - self._last_arrival)

    def notify(self, message: Message) -> None:
        """Send a progress or a text at once, past the gadgets that follow; a client that has gone is not told."""
        if isinstance(message, Progress | Text | Waveform):
            self._guarded(lambda: self._deliver(message))

    def _send(self, message: Message) -> None:
        self._peer.send(message)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except EchotrainError as error:
            self._fail(error)
        except Exception as error:  # whatever a session does, the engine goes on
            self.log.exception("internal error")
            self._fail(GadgetError(f"internal error: {type(error).__name__}: {error}"))

    def _fail(self, error: EchotrainError) -> None:
        with self._lock:
            orders = self._session.fail(error)
            if not orders:
                return
            self.counts.faults.append(f"{error.code}: {error}")
        self._cancelled.set()
        self.log.error("session failed", code=error.code, gadget=error.gadget, error=str(error))
        try:
            if not isinstance(error, ConnectionLost):
                for order in orders:
                    assert isinstance(order, Send)
                    self._send(order.message)
        except EchotrainError as gone:
            self.log.info("the client could not be told", error=str(gone))
        finally:
            self._end(f"{error.code}: {error}")

    def _end(self, outcome: str) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self._cancelled.set()
        self._segments = []
        self._peer.ended()
        if self._disk is None:
            self._host.ended(self, outcome)
        else:  # the session is over for the engine once its recording is closed, behind everything that came
            self._disk.put(_Ended(outcome))

    def _close_recording(self, outcome: str) -> None:
        assert self.recorder is not None
        try:
            self.recorder.close(
                outcome, readouts=self.counts.readouts, images=self.counts.images, chain=self.chain_name
            )
        except OSError as error:
            self.log.error("recording not closed", error=str(error))  # noqa: TRY400 the text says it all
        finally:
            self._host.ended(self, outcome)

    def _release(self, frame: Frame) -> None:
        with self._waiting_lock:
            self._waiting -= frame.nbytes
        self._peer.consumed(frame.nbytes)

    def check_time(self, now: float) -> None:
        """Fail the session if a gadget has not returned for too long. Its thread cannot be ended, only left behind."""
        for segment in list(self._segments):
            since = segment.busy_since
            if since is not None and now - since > self._host.limits.gadget_seconds:
                name = segment.chain.current or "?"
                error = GadgetHung(
                    f"gadget {name!r} has not returned for {now - since:.0f} s, "
                    f"at most {self._host.limits.gadget_seconds:g} s are allowed",
                    gadget=name,
                )
                # telling a client that does not read may take a while, and other sessions are to be checked, too
                threading.Thread(target=self._fail, args=(error,), name="hung", daemon=True).start()


def _joined(last: _Item, more: _OnDisk) -> _Item | None:
    """Join neighbouring stretches of the recording, so that what waits on disk takes no memory."""
    if isinstance(last, _OnDisk) and last.offset + last.nbytes == more.offset:
        return _OnDisk(last.offset, last.nbytes + more.nbytes, more.at)
    return None
