"""A client's link to an engine over ZeroMQ: one wire at a time, remade when it is lost; questions with an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import zmq

from ..engine.curve_keys import CurveClient
from ..engine.errors import ConnectionLost, EchotrainError, RemoteError
from ..engine.limits import Limits
from ..engine.zmq_codec import Numbered
from ..engine.zmq_control import (
    Control,
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
from ..engine.zmq_envelope import Buffer
from .zmq_wire import ZmqWire

ANSWER_SECONDS = 10.0
"""Time for a connection, and for the answer to a question."""


class ZmqLink:
    """See the module.

    Parameters
    ----------
    endpoint
        ``tcp://HOST:PORT`` of the engine.
    curve
        Keys, if the engine asks for them.
    limits
        What received messages are held against.
    on_message
        Called in the loop with each message and its bytes, before a question's answer is handed to who asked; what it
        raises goes to ``on_error``.
    on_error
        Called in the loop when the engine sent what cannot be.
    on_change
        Called in the loop when sending may work again, and when the wire is lost.
    """

    def __init__(
        self,
        endpoint: str,
        curve: CurveClient | None,
        limits: Limits,
        *,
        on_message: Callable[[Control | Numbered, int], None],
        on_error: Callable[[EchotrainError], None],
        on_change: Callable[[], None],
    ) -> None:
        self.endpoint = endpoint
        self.lost: str | None = "not connected yet"
        """Why there is no wire, or None while there is one."""
        self.heard = self.told = time.monotonic()
        """When something was received and sent last."""
        self._curve = curve
        self._limits = limits
        self._on_message = on_message
        self._on_error = on_error
        self._on_change = on_change
        self._wire: ZmqWire | None = None
        self._answer: asyncio.Future[Control] | None = None

    async def connect(self, seconds: float = ANSWER_SECONDS) -> None:
        """Make a wire within ``seconds``.

        Raises
        ------
        ConnectionLost
            Nobody answers there, or the keys do not fit.
        ConfigurationError
            The endpoint or the keys cannot be used.
        """
        wire = ZmqWire(
            self.endpoint,
            curve=self._curve,
            on_message=self._received,
            on_writable=self._on_change,
            on_lost=self.lose,
        )
        try:
            await wire.connected(seconds)
        except BaseException:
            wire.close()
            raise
        self._wire, self.lost = wire, None
        self.heard = time.monotonic()

    def lose(self, reason: str) -> None:
        """Take the wire for lost."""
        self.close()
        self.lost = self.lost or reason
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionLost(reason))
        self._on_change()

    def close(self) -> None:
        """Let what was sent go out, and close the wire."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def ask(self, question: Open | Resume | StatusRequest, seconds: float = ANSWER_SECONDS) -> Control:
        """Send a question and wait for its answer.

        Raises
        ------
        RemoteError
            The engine refuses.
        ConnectionLost
            It does not answer.
        """
        if self._wire is None:
            raise ConnectionLost(self.lost or "the connection was closed")
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self.send(encode_control(question))
            answer = await asyncio.wait_for(self._answer, seconds)
        except TimeoutError:
            raise ConnectionLost(f"{self.endpoint}: no answer within {seconds:g} s") from None
        finally:
            self._answer = None
        if isinstance(answer, RefusedOpen):
            raise RemoteError(answer.text, code=answer.code)
        return answer

    def send(self, frames: Sequence[Buffer]) -> bool:
        """Send without waiting; False if there is no room, or no wire."""
        if self._wire is None or not self._wire.send(frames):
            return False
        self.told = time.monotonic()
        return True

    def _received(self, frames: list[zmq.Frame]) -> None:
        self.heard = time.monotonic()
        try:
            envelope, *rest = frames
            message = decode([envelope.bytes, *(frame.buffer for frame in rest)], self._limits)
            asked = self._answer is not None and not self._answer.done()
            if not (asked and isinstance(message, RefusedOpen)):
                self._on_message(message, sum(map(len, frames)))
        except EchotrainError as error:
            self._on_error(error)
            return
        if isinstance(message, Opened | RefusedOpen | Resumed | Status) and asked and self._answer is not None:
            self._answer.set_result(message)
