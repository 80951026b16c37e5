"""The client's end of a session over ZeroMQ, which survives lost connections."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Any, Self

from .. import __version__
from ..engine.curve_keys import CurveClient
from ..engine.errors import ConnectionLost, EchotrainError, LimitExceeded, RemoteError
from ..engine.limits import Limits
from ..engine.messages import Close, ConfigName, ConfigText, Fault, Header, Message, Parameters
from ..engine.zmq_codec import Numbered, encode
from ..engine.zmq_control import (
    Ack,
    Cancel,
    Control,
    Leave,
    Open,
    Opened,
    RefusedOpen,
    Resume,
    Resumed,
    Status,
    StatusRequest,
    encode_control,
)
from ..engine.zmq_flow import Incoming, Outgoing
from .zmq_link import ANSWER_SECONDS, ZmqLink

RESUME_TRIES = 8
"""Times that a lost connection is made anew before the session is given up."""
_MISSED = 3  # heartbeats after which silence is a lost connection
_YIELD = 8  # messages after which a sender lets others in the loop have their turn
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 2.0  # seconds between tries, doubling


class ZmqConnection:
    """A ``Connection`` over ZeroMQ. Make it with ``connect``."""

    def __init__(self, endpoint: str, curve: CurveClient | None, limits: Limits, resume_tries: int) -> None:
        self.opened: Opened | None = None
        """What the engine said when the session was opened."""
        self._limits = limits
        self._tries = resume_tries
        self._link = ZmqLink(
            endpoint, curve, limits, on_message=self._received, on_error=self._fail, on_change=self._link_changed
        )
        self._attached = False  # the wire carries the session: it was opened or resumed on it
        self._lost = asyncio.Event()
        self._changed = asyncio.Event()  # anything that ``send`` or ``receive`` may wait for
        self._incoming = Incoming(limits.queue_bytes)
        self._outgoing = Outgoing(0)
        self._inbox: deque[tuple[Message, int]] = deque()
        self._fault: Fault | None = None
        self._ended = False  # the engine takes no more data
        self._complete = False  # Close has been received: nothing more will come
        self._failure: EchotrainError | None = None
        self._keeper: asyncio.Task[None] | None = None

    @classmethod
    async def connect(
        cls,
        endpoint: str,
        *,
        curve: CurveClient | None = None,
        limits: Limits | None = None,
        resume_tries: int = RESUME_TRIES,
    ) -> Self:
        """Connect to an engine; no session begins yet.

        Parameters
        ----------
        endpoint
            ``tcp://HOST:PORT``.
        curve
            Keys, if the engine asks for them.
        limits
            What the engine's messages are held against; ``queue_bytes`` is what it may send ahead of ``receive``.
        resume_tries
            Times that a lost connection is made anew; 0 for a session that ends with its connection.

        Raises
        ------
        ConnectionLost
            Nobody answers there, or the keys do not fit.
        ConfigurationError
            The endpoint or the keys cannot be used.
        """
        connection = cls(endpoint, curve, limits or Limits(), resume_tries)
        await connection._link.connect()
        return connection

    @property
    def session_id(self) -> str:
        """The session's id in the engine's log and recordings; "" before it is open."""
        return "" if self.opened is None else self.opened.id

    async def open(self, config: ConfigName | ConfigText, header: Header, parameters: Parameters | None = None) -> None:
        """Begin the scan.

        Raises
        ------
        RemoteError
            The engine refuses: too many sessions, shutting down, or it speaks another version.
        ConnectionLost
            It does not answer.
        """
        answer = await self._link.ask(
            Open(
                config=config,
                header=header,
                parameters=parameters,
                client=f"echotrain {__version__}",
                resumable=self._tries > 0,
                credit=self._incoming.granted,
            )
        )
        if not isinstance(answer, Opened):
            raise ConnectionLost(f"the engine answered open with {type(answer).__name__}")
        self._keeper = asyncio.create_task(self._keep(answer), name="zmq session keeper")

    async def send(self, message: Message) -> None:
        """Send a message; waits while the engine gives no credit.

        Its arrays must not be changed afterwards: they may have to be sent again.

        Raises
        ------
        ConnectionLost
            The session is over (``receive`` may still have what the engine said before), or the engine cannot be
            reached any more.
        LimitExceeded
            The message is larger than the engine takes.
        """
        if self.opened is None:
            raise ConnectionLost("no session is open")
        encoded = encode(message)
        nbytes, most = sum(map(len, encoded.buffers)), self.opened.limits.get("message_bytes", 0)
        if most and nbytes > most:
            raise LimitExceeded(f"a message of {nbytes} bytes, the engine takes at most {most}; send smaller blocks")
        while not self._over and not self._has_room:
            await self._wait()
        if self._over:
            if isinstance(message, Close) and self._failure is None:
                return
            raise self._why()
        self._outgoing.push(encoded.frames(self.opened.session, self._outgoing.next_seq))
        self._flush()
        if self._outgoing.next_seq % _YIELD == 0:
            await asyncio.sleep(0)  # whoever sends without pause still lets the loop read

    async def receive(self) -> Message:
        """Return the engine's next message: at the end ``Fault``, if it failed, and ``Close``.

        Raises
        ------
        ConnectionLost
            ``Close`` was received before, or the engine cannot be reached any more.
        ProtocolError
            The engine broke the protocol.
        """
        while not self._inbox:
            if self._failure is not None:
                raise self._failure
            if self._complete or self.opened is None:
                raise ConnectionLost("the session is over" if self._complete else "no session is open")
            await self._wait()
        message, nbytes = self._inbox.popleft()
        self._incoming.consumed(nbytes)
        if self._incoming.due:
            self._acknowledge()
        return message

    async def cancel(self, reason: str = "cancelled by the client") -> None:
        """Have the engine end the session now; it answers with a ``Fault`` and ``Close``."""
        if self.opened is not None:
            self._link.send(encode_control(Cancel(self.opened.session, reason)))

    async def close(self) -> None:
        """Leave; a session that has not ended is given up by the engine too. Doing it twice is harmless."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self.opened is not None and self._failure is None:
            self._acknowledge()
            self._link.send(encode_control(Leave(self.opened.session)))
        self._link.close()
        self._fail(ConnectionLost("the connection was closed here"))

    async def status(self) -> dict[str, Any]:
        """Ask the engine how it is; not while another question waits for its answer.

        Raises
        ------
        ConnectionLost
            It does not answer.
        """
        answer = await self._link.ask(StatusRequest())
        if not isinstance(answer, Status):
            raise ConnectionLost(f"the engine answered status with {type(answer).__name__}")
        return dict(answer.status)

    # waiting

    @property
    def _over(self) -> bool:
        return self._failure is not None or self._ended or self._fault is not None or self._complete

    @property
    def _has_room(self) -> bool:
        return self._attached and self._outgoing.may_push and self._outgoing.next() is None

    def _why(self) -> ConnectionLost:
        if self._fault is not None:
            return ConnectionLost(f"the engine has ended the session ({self._fault.code}): {self._fault.text}")
        return ConnectionLost(str(self._failure or "the engine has ended the session"))

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _fail(self, error: EchotrainError) -> None:
        self._failure = self._failure or error
        self._changed.set()

    # what comes and goes

    def _received(self, message: Control | Numbered, nbytes: int) -> None:
        """Take a message; answers change the flow here and now, as what follows them builds on it."""
        match message:
            case Numbered():
                self._take(message, nbytes)
            case Ack():
                self._outgoing.acknowledged(message.ack, message.credit)
                self._ended = self._ended or message.ended
                self._flush()
            case Opened():
                self.opened, self._attached = message, True
                self._incoming = Incoming(self._limits.queue_bytes, message.limits.get("queue_bytes"))
                self._outgoing = Outgoing(message.credit)
            case Resumed():
                self._outgoing.rewind(message.ack, message.credit)
                self._attached = True
                self._flush()
            case RefusedOpen() if not self._complete:
                self._fail(ConnectionLost(f"the engine says ({message.code}): {message.text}"))

    def _take(self, numbered: Numbered, nbytes: int) -> None:
        if not self._incoming.accept(numbered.seq, nbytes):
            return
        message = numbered.message
        if isinstance(message, Fault):
            self._fault = message
        elif isinstance(message, Close):
            self._complete = True
        self._inbox.append((message, nbytes))
        if self._incoming.due or self._complete:
            self._acknowledge()
        self._changed.set()

    def _link_changed(self) -> None:
        if self._link.lost is not None:
            self._attached = False
            self._lost.set()
        self._flush()

    def _flush(self) -> None:
        while self._attached and (parcel := self._outgoing.next()) is not None and self._link.send(parcel.frames):
            self._outgoing.sent()
        self._changed.set()

    def _acknowledge(self) -> None:
        if self.opened is not None and self._attached:
            ack, credit = self._incoming.report()
            self._link.send(encode_control(Ack(self.opened.session, ack, credit)))

    # time

    async def _keep(self, opened: Opened) -> None:
        """Send heartbeats, notice silence, and resume the session when its connection is lost."""
        while self._failure is None and not self._complete:
            now = time.monotonic()
            if self._link.lost is not None:
                await self._resume(opened)
            elif now - self._link.heard > _MISSED * opened.heartbeat:
                self._link.lose(f"{self._link.endpoint}: the engine was silent for {now - self._link.heard:.1f} s")
            else:
                if now - self._link.told >= opened.heartbeat:
                    self._acknowledge()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._lost.wait(), min(1.0, opened.heartbeat / 4))

    async def _resume(self, opened: Opened) -> None:
        reason, delay = self._link.lost, _FIRST_DELAY
        seconds = min(ANSWER_SECONDS, max(1.0, _MISSED * opened.heartbeat))
        for _ in range(self._tries):
            try:
                await self._link.connect(seconds)
                self._lost.clear()
                ack, credit = self._incoming.report()
                await self._link.ask(Resume(opened.session, ack, credit), seconds)
            except ConnectionLost as error:
                reason = str(error)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY)
            except RemoteError as error:
                self._fail(ConnectionLost(f"the session cannot be resumed: {error}"))
                return
            else:
                return
        self._fail(ConnectionLost(f"the connection was lost, and {self._tries} tries to resume failed: {reason}"))


async def ask_status(endpoint: str, *, curve: CurveClient | None = None) -> dict[str, Any]:
    """Ask a running engine how it is.

    Returns
    -------
    dict
        As ``Engine.status``.

    Raises
    ------
    ConnectionLost
        Nobody answers there.
    ConfigurationError
        The endpoint or the keys cannot be used.
    """
    connection = await ZmqConnection.connect(endpoint, curve=curve)
    try:
        return await connection.status()
    finally:
        await connection.close()
