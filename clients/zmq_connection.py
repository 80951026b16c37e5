"""The client's end of a session over ZeroMQ, which survives lost connections."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any, Self

from .. import __version__
from ..engine.curve_keys import CurveClient
from ..engine.errors import ConnectionLost, EchotrainError, LimitExceeded, RemoteError
from ..engine.limits import Limits
from ..engine.messages import Close, ConfigName, ConfigText, Header, Message, Parameters
from ..engine.zmq_codec import Numbered, encode
from ..engine.zmq_control import (
    Ack,
    Cancel,
    Control,
    Leave,
    Open,
    Opened,
    Resume,
    Status,
    StatusRequest,
    encode_control,
)
from .zmq_link import ANSWER_SECONDS, ZmqLink
from .zmq_stream import ZmqStream

RESUME_TRIES = 8
"""Times that a lost connection is made anew before the session is given up."""
_MISSED = 3  # heartbeats after which silence is a lost connection
_YIELD = 8  # messages after which a sender lets others in the loop have their turn
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 2.0  # seconds between tries, doubling


class ZmqConnection:
    """A ``Connection`` over ZeroMQ. Make it with ``connect``."""

    def __init__(self, endpoint: str, curve: CurveClient | None, limits: Limits, resume_tries: int) -> None:
        self._tries = resume_tries
        self._stream = ZmqStream(limits)
        self._link = ZmqLink(
            endpoint, curve, limits, on_message=self._received, on_error=self._fail, on_change=self._link_changed
        )
        self._changed = asyncio.Event()  # anything that ``send`` or ``receive`` may wait for
        self._lost = asyncio.Event()
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
    def opened(self) -> Opened | None:
        """What the engine said when the session was opened; None before."""
        return self._stream.opened

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
                credit=self._stream.incoming.granted,
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
        while not self._stream.over and not self._stream.has_room:
            await self._wait()
        if self._stream.over:
            if isinstance(message, Close) and self._stream.failure is None:
                return
            raise self._stream.why()
        number = self._stream.outgoing.next_seq
        self._stream.outgoing.push(encoded.frames(self.opened.session, number))
        self._flush()
        if number % _YIELD == 0:
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
        while (message := self._stream.take()) is None:
            await self._wait()
        if self._stream.incoming.due:
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
        if self.opened is not None and self._stream.failure is None:
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

    # what comes and goes

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _fail(self, error: EchotrainError) -> None:
        self._stream.fail(error)
        self._changed.set()

    def _received(self, message: Control | Numbered, nbytes: int) -> None:
        self._stream.received(message, nbytes)
        if self._stream.incoming.due or self._stream.complete:
            self._acknowledge()
        self._flush()

    def _link_changed(self) -> None:
        if self._link.lost is not None:
            self._stream.attached = False
            self._lost.set()
        self._flush()

    def _flush(self) -> None:
        outgoing = self._stream.outgoing
        while self._stream.attached and (parcel := outgoing.next()) is not None and self._link.send(parcel.frames):
            outgoing.sent()
        self._changed.set()

    def _acknowledge(self) -> None:
        if self.opened is not None and self._stream.attached:
            ack, credit = self._stream.incoming.report()
            self._link.send(encode_control(Ack(self.opened.session, ack, credit)))

    # time

    async def _keep(self, opened: Opened) -> None:
        """Send heartbeats, notice silence, and resume the session when its connection is lost."""
        while self._stream.failure is None and not self._stream.complete:
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
                ack, credit = self._stream.incoming.report()
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
