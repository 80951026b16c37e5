"""Drives one session: frames in from a transport, through recorder, session and chain, messages out to the peer.

::

    put ──> Intake: [recording worker] ──> [session worker] ──> Session ──> Pipeline: [segment workers] ──> peer

The session says what is to be done (its orders), the runner does it. Whatever goes wrong ends this session alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from .chain import Chain
from .errors import Cancelled, ConnectionLost, EchotrainError, GadgetError, GadgetHung, LimitExceeded
from .intake import Intake
from .limits import Limits
from .logs import get_logger
from .messages import Image, Message, Progress, Query, Readouts, Response, Text
from .peer import Frame, Peer
from .pipeline import Pipeline
from .recorder import Recorder
from .session import Answer, Build, Feed, Finish, Note, Order, Send, Session, State


@dataclass(slots=True)
class Counts:
    """What a session has seen so far."""

    readouts: int = 0
    received_bytes: int = 0
    images: int = 0
    faults: list[str] = field(default_factory=list)


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
        self._lock = threading.RLock()  # guards the session's transitions, which several workers may cause
        self._pipeline: Pipeline | None = None
        self._cancelled = threading.Event()
        self._ended = False
        self._last_arrival = time.monotonic()
        self._intake = Intake(self, peer, host.limits, recorder, session_id[:8])

    # what transports call; none of it blocks

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._session.state

    @property
    def full(self) -> bool:
        """Whether the transport should stop reading until ``Peer.consumed``."""
        return self._intake.full

    @property
    def backlog(self) -> int:
        """Frames that wait for a worker: while there are any, a transport does well to gather more into one block."""
        return self._intake.backlog

    @property
    def waiting_bytes(self) -> int:
        """Received bytes that wait in memory."""
        return self._intake.waiting_bytes

    @property
    def cancelled(self) -> bool:
        """Whether the session has been told to stop."""
        return self._cancelled.is_set()

    def put(self, frame: Frame) -> None:
        """Take a frame."""
        self.counts.received_bytes += frame.nbytes
        if isinstance(frame.message, Readouts):
            self.counts.readouts += len(frame.message)
        self._intake.put(frame)

    def begin(self) -> None:
        """Say that no parameters follow the header, so that the chain is built at once."""
        self._intake.begin()

    def lost(self, error: EchotrainError) -> None:
        """Say that the connection failed; what came before it is still recorded and reconstructed."""
        self._intake.lost(error)

    def cancel(self, reason: str) -> None:
        """End the session now."""
        self.fail(Cancelled(reason))

    # what the intake calls

    def take(self, message: Message, at: float) -> None:
        """Take a message that came at ``at``; see ``Consumer``."""
        self._last_arrival = at
        self._guarded(lambda: self._receive(message))

    def take_begin(self) -> None:
        """Build the chain; see ``Consumer``."""
        self._guarded(lambda: self._carry_out(self._session.begin()))

    def take_lost(self, error: EchotrainError) -> None:
        """End the session because its transport failed; see ``Consumer``."""
        if self._session.state is not State.CLOSED:
            self.log.warning("connection lost", error=str(error))
            self.fail(error)

    def close_recording(self, outcome: str) -> None:
        """Close the recording, which ends the session for the engine; see ``Consumer``."""
        assert self.recorder is not None
        try:
            self.recorder.close(
                outcome, readouts=self.counts.readouts, images=self.counts.images, chain=self.chain_name
            )
        except OSError as error:
            self.log.error("recording not closed", error=str(error))  # noqa: TRY400 the text says it all
        finally:
            self._host.ended(self, outcome)

    # orders

    def _receive(self, message: Message) -> None:
        if self._session.state is State.CLOSED:
            return
        limit = self._host.limits.session_bytes
        if limit and self.counts.received_bytes > limit:
            raise LimitExceeded(f"the session sent {self.counts.received_bytes} bytes, at most {limit} are allowed")
        with self._lock:
            orders = self._session.receive(message)
        self._carry_out(orders)

    def _carry_out(self, orders: list[Order]) -> None:
        pipeline = self._pipeline
        for order in orders:
            match order:
                case Build():
                    pipeline = self._pipeline = Pipeline(
                        self._host.build(order, self),
                        self.session_id[:8],
                        deliver=self._deliver,
                        drained=self._drained,
                        guarded=self._guarded,
                        stopped=self._cancelled.is_set,
                    )
                case Feed(message) if pipeline is not None:
                    pipeline.feed(message)
                case Finish() if pipeline is not None:
                    pipeline.finish()
                case Feed() | Finish():  # the session has ended since it gave the order
                    return
                case Answer(query):
                    self._deliver(self._host.answer(query))
                case Note(text):
                    self.log.info("client says", text=text[:2000])
                case Send(message):
                    self._peer.send(message)
        if self._session.state is State.CLOSED:
            self._end("completed" if not self.counts.faults else self.counts.faults[0])

    def _drained(self) -> None:
        with self._lock:
            orders = self._session.drained()
        self._carry_out(orders)

    # sending and ending

    def _deliver(self, message: Message) -> None:
        if self._session.state is State.CLOSED:
            return
        if isinstance(message, Image):
            self.counts.images += 1
        elif isinstance(message, Text):
            self.log.info("chain says", text=message.text)
        self._peer.send(message)
        self._host.delivered(message, time.monotonic() - self._last_arrival)

    def notify(self, message: Message) -> None:
        """Send a progress or a text at once, past the gadgets that follow."""
        if isinstance(message, Progress | Text):
            self._guarded(lambda: self._deliver(message))

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except EchotrainError as error:
            self.fail(error)
        except Exception as error:  # whatever a session does, the engine goes on
            self.log.exception("internal error")
            self.fail(GadgetError(f"internal error: {type(error).__name__}: {error}"))

    def fail(self, error: EchotrainError) -> None:
        """End the session with an error, which the client is told if it is still there."""
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
                    self._peer.send(order.message)
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
        self._pipeline = None
        self._peer.ended()
        self._intake.end(outcome)
        if self.recorder is None:  # else the session is over for the engine once its recording is closed
            self._host.ended(self, outcome)

    def check_time(self, now: float) -> None:
        """Fail the session if a gadget has not returned for too long. Its thread cannot be ended, only left behind."""
        limit = self._host.limits.gadget_seconds
        pipeline = self._pipeline  # it goes when the session ends, which may be now
        late = None if pipeline is None else pipeline.overdue(now, limit)
        if late is not None:
            gadget, seconds = late
            text = f"gadget {gadget!r} has not returned for {seconds:.0f} s, at most {limit:g} s are allowed"
            # telling a client that does not read may take a while, and other sessions are to be checked, too
            threading.Thread(
                target=self.fail, args=(GadgetHung(text, gadget=gadget),), name="hung", daemon=True
            ).start()
