"""What a client knows of its ZeroMQ session, without I/O: what came, what is to go, and whether it is over."""

from __future__ import annotations

from collections import deque

from ..engine.errors import ConnectionLost, EchotrainError
from ..engine.limits import Limits
from ..engine.messages import Close, Fault, Message
from ..engine.zmq_codec import Numbered
from ..engine.zmq_control import Ack, Control, Opened, RefusedOpen, Resumed
from ..engine.zmq_flow import Incoming, Outgoing


class ZmqStream:
    """One session as its client sees it.

    Parameters
    ----------
    limits
        ``queue_bytes`` is the window for what the engine sends.
    """

    def __init__(self, limits: Limits) -> None:
        self.opened: Opened | None = None
        """What the engine said when the session was opened."""
        self.attached = False
        """Whether the connection carries the session: it was opened or resumed on it."""
        self.complete = False
        """Whether ``Close`` has come: nothing more will."""
        self.failure: EchotrainError | None = None
        """Why the session cannot go on, where it cannot."""
        self.incoming = Incoming(limits.queue_bytes)
        self.outgoing = Outgoing(0)
        self._window = limits.queue_bytes
        self._inbox: deque[tuple[Message, int]] = deque()
        self._fault: Fault | None = None
        self._ended = False  # the engine takes no more data

    @property
    def over(self) -> bool:
        """Whether nothing more can be sent."""
        return self.failure is not None or self._ended or self._fault is not None or self.complete

    @property
    def has_room(self) -> bool:
        """Whether another message would go at once."""
        return self.attached and self.outgoing.may_push and self.outgoing.next() is None

    def why(self) -> ConnectionLost:
        """Return the error for who would still send."""
        if self._fault is not None:
            return ConnectionLost(f"the engine has ended the session ({self._fault.code}): {self._fault.text}")
        return ConnectionLost(str(self.failure or "the engine has ended the session"))

    def fail(self, error: EchotrainError) -> None:
        """Say that the session cannot go on; the first reason stays."""
        self.failure = self.failure or error

    def take(self) -> Message | None:
        """Return what came next, or None if nothing waits.

        Raises
        ------
        ConnectionLost
            Nothing will come.
        ProtocolError
            The engine broke the protocol.
        """
        if self._inbox:
            message, nbytes = self._inbox.popleft()
            self.incoming.consumed(nbytes)
            return message
        if self.failure is not None:
            raise self.failure
        if self.complete or self.opened is None:
            raise ConnectionLost("the session is over" if self.complete else "no session is open")
        return None

    def received(self, message: Control | Numbered, nbytes: int) -> None:
        """Take what came; answers count here and now, as what follows them builds on it.

        Raises
        ------
        ProtocolError
            Its numbers cannot be.
        """
        match message:
            case Numbered():
                if self.incoming.accept(message.seq, nbytes):
                    self._keep(message.message, nbytes)
            case Ack():
                self.outgoing.acknowledged(message.ack, message.credit)
                self._ended = self._ended or message.ended
            case Opened():
                self.opened, self.attached = message, True
                self.incoming = Incoming(self._window, message.limits.get("queue_bytes"))
                self.outgoing = Outgoing(message.credit)
            case Resumed():
                self.outgoing.rewind(message.ack, message.credit)
                self.attached = True
            case RefusedOpen() if not self.complete:
                self.fail(ConnectionLost(f"the engine says ({message.code}): {message.text}"))

    def _keep(self, message: Message, nbytes: int) -> None:
        if isinstance(message, Fault):
            self._fault = message
        self.complete = isinstance(message, Close)
        self._inbox.append((message, nbytes))
