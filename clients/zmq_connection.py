"""The client's end of a session over ZeroMQ, which survives lost connections."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any, Self

import zmq

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
    decode,
    encode_control,
)
from ..engine.zmq_flow import Incoming, Outgoing
from .zmq_wire import ZmqWire

CONNECT_SECONDS = 10.0
"""Time for a connection, and for the answer to what opens or resumes a session."""
RESUME_TRIES = 8
"""Times that a lost connection is made anew before the session is given up."""
_MISSED = 3
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 2.0  # seconds between tries, doubling


class ZmqConnection:
    """A ``Connection`` over ZeroMQ. Make it with ``connect``."""

    def __init__(self, endpoint: str, curve: CurveClient | None, limits: Limits, resume_tries: int) -> None:
        self.opened: Opened | None = None
        """What the engine said when the session was opened."""
        self._endpoint = endpoint
        self._curve = curve
        self._limits = limits
        self._tries = resume_tries
        self._wire: ZmqWire | None = None
        self._answer: asyncio.Future[Control] | None = None
        self._changed = asyncio.Event()  # anything that ``send`` or ``receive`` may wait for
        self._incoming = Incoming(limits.queue_bytes)
        self._outgoing = Outgoing(0)
        self._inbox: deque[tuple[Message, int]] = deque()
        self._fault: Fault | None = None
        self._complete = False  # Close has been received: nothing more will come
        self._failure: EchotrainError | None = None
        self._lost: str | None = None
        self._heard = self._told = time.monotonic()
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
        await connection._connect()
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
        answer = await self._ask(
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
        self.opened = answer
        self._outgoing = Outgoing(answer.credit)
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
        while not self._over and (
            not self._outgoing.may_push or self._outgoing.next() is not None or self._wire is None
        ):
            await self._wait()
        if self._over:
            if isinstance(message, Close) and self._failure is None:
                return
            raise self._why()
        self._outgoing.push(encoded.frames(self.opened.session, self._outgoing.next_seq))
        self._flush()
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
            if self._complete:
                raise ConnectionLost("the session is over")
            if self.opened is None:
                raise ConnectionLost("no session is open")
            await self._wait()
        message, nbytes = self._inbox.popleft()
        self._incoming.consumed(nbytes)
        if self._incoming.due:
            self._acknowledge()
        return message

    async def cancel(self, reason: str = "cancelled by the client") -> None:
        """Have the engine end the session now; it answers with a ``Fault`` and ``Close``."""
        if self.opened is not None and self._wire is not None:
            self._wire.send(encode_control(Cancel(self.opened.session, reason)))

    async def close(self) -> None:
        """Leave; a session that has not ended is given up by the engine too."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._wire is not None:
            if self.opened is not None and self._failure is None:
                self._acknowledge()
                self._wire.send(encode_control(Leave(self.opened.session)))
            self._wire.close()
            self._wire = None
        self._fail(ConnectionLost("the connection was closed here"))

    async def status(self) -> dict[str, Any]:
        """Ask the engine how it is; only while no session is open.

        Raises
        ------
        ConnectionLost
            It does not answer.
        """
        answer = await self._ask(StatusRequest())
        if not isinstance(answer, Status):
            raise ConnectionLost(f"the engine answered status with {type(answer).__name__}")
        return dict(answer.status)

    # waiting

    @property
    def _over(self) -> bool:
        return self._failure is not None or self._complete or self._fault is not None

    @property
    def _has_room(self) -> bool:
        return self._wire is not None and self._outgoing.may_push and self._outgoing.next() is None

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

    # the wire

    async def _connect(self) -> None:
        wire = ZmqWire(
            self._endpoint, curve=self._curve, on_message=self._received, on_writable=self._flush, on_lost=self._lose
        )
        try:
            await wire.connected(CONNECT_SECONDS)
        except BaseException:
            wire.close()
            raise
        self._lost = None
        self._wire = wire
        self._heard = time.monotonic()

    def _lose(self, reason: str) -> None:
        self._lost = self._lost or reason
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionLost(reason))
        self._changed.set()

    async def _ask(self, question: Open | Resume | StatusRequest) -> Control:
        if self._wire is None:
            raise ConnectionLost(self._lost or "there is no connection")
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self._wire.send(encode_control(question))
            answer = await asyncio.wait_for(self._answer, CONNECT_SECONDS)
        except TimeoutError:
            raise ConnectionLost(f"{self._endpoint}: no answer within {CONNECT_SECONDS:g} s") from None
        finally:
            self._answer = None
        if isinstance(answer, RefusedOpen):
            raise RemoteError(answer.text, code=answer.code)
        return answer

    def _received(self, frames: list[zmq.Frame]) -> None:
        self._heard = time.monotonic()
        try:
            envelope, *rest = frames
            message = decode([envelope.bytes, *(frame.buffer for frame in rest)], self._limits)
            if isinstance(message, Numbered):
                self._take(message, sum(map(len, frames)))
            elif isinstance(message, Ack):
                self._outgoing.acknowledged(message.ack, message.credit)
                self._flush()
                self._changed.set()
            elif self._answer is not None:
                if not self._answer.done():
                    self._answer.set_result(message)
            elif isinstance(message, RefusedOpen):
                self._fail(ConnectionLost(f"the engine says ({message.code}): {message.text}"))
        except EchotrainError as error:
            self._fail(error)

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

    def _flush(self) -> None:
        while self._wire is not None and (parcel := self._outgoing.next()) is not None:
            if not self._wire.send(parcel.frames):
                return
            self._outgoing.sent()
            self._told = time.monotonic()
        self._changed.set()

    def _acknowledge(self) -> None:
        if self._wire is not None and self.opened is not None:
            ack, credit = self._incoming.report()
            if self._wire.send(encode_control(Ack(self.opened.session, ack, credit))):
                self._told = time.monotonic()

    # time

    async def _keep(self, opened: Opened) -> None:
        """Send heartbeats, notice silence, and resume the session when its connection is lost."""
        pause = min(1.0, opened.heartbeat / 4)
        while self._failure is None:
            if self._wire is None:
                if self._complete:
                    return
                await self._resume(opened)
                continue
            now = time.monotonic()
            if now - self._heard > _MISSED * opened.heartbeat:
                self._lose(f"{self._endpoint}: the engine was silent for {now - self._heard:.1f} s")
            elif now - self._told >= opened.heartbeat:
                self._acknowledge()
            else:
                await asyncio.sleep(pause)

    async def _resume(self, opened: Opened) -> None:
        reason = self._lost
        delay = _FIRST_DELAY
        for _ in range(self._tries):
            try:
                await self._connect()
                ack, credit = self._incoming.report()
                answer = await self._ask(Resume(opened.session, ack, credit))
                if not isinstance(answer, Resumed):
                    self._fail(ConnectionLost(f"the engine answered resume with {type(answer).__name__}"))
                    return
                self._outgoing.rewind(answer.ack, answer.credit)
            except ConnectionLost as error:
                reason = str(error)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY)
            except EchotrainError as error:
                self._fail(ConnectionLost(f"the session cannot be resumed: {error}"))
                return
            else:
                self._flush()
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
