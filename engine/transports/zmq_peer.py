"""One ZeroMQ session at the engine, whichever connection carries it at the moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..errors import ConnectionLost, SessionTimeout
from ..limits import Limits
from ..messages import Close, Fault, Message
from ..runner import Runner
from ..zmq_codec import encode
from ..zmq_flow import Incoming, Outgoing


class ZmqPeer:
    """The runner's end of a session. Workers call ``send``, ``consumed`` and ``ended``; the rest is the loop's.

    Parameters
    ----------
    token
        The secret that names the session on the wire.
    route
        ROUTER's id of the connection.
    user
        The client's CURVE public key, or "": who may resume the session.
    limits
        The engine's.
    credit
        Bytes that the client lets the engine send at first.
    resumable
        Whether the session outlives its connection.
    wake
        Has the loop serve this peer soon; may be called from any thread.
    """

    runner: Runner

    def __init__(
        self,
        *,
        token: str,
        route: bytes,
        user: str,
        limits: Limits,
        credit: int,
        resumable: bool,
        wake: Callable[[ZmqPeer], None],
    ) -> None:
        self.token = token
        self.route: bytes | None = route
        self.user = user
        self.resumable = resumable
        self.lock = threading.Condition()
        """Guards ``outgoing`` and ``incoming``; notified when there is room or no hope."""
        self.outgoing = Outgoing(credit)
        self.incoming = Incoming(limits.queue_bytes)
        self.failed = False
        """Whether the client broke the protocol: what it goes on sending is thrown away."""
        self.finished = False
        """Whether the session has ended at the engine; it stays until the client has everything."""
        self.over_told = False
        """Whether the client knows that nothing more is taken."""
        self.gone = False
        """Whether the client is given up."""
        self.heard = self.told = self.progressed = self.detached = self.busy = self.ended_at = time.monotonic()
        self._limits = limits
        self._wake = wake
        self._scheduled = False
        self._loop_thread = threading.get_ident()

    @property
    def over(self) -> bool:
        """Whether data of the client are not taken any more."""
        return self.failed or self.finished

    # workers

    def send(self, message: Message) -> None:
        """Send to the client; blocks while more than ``Limits.queue_bytes`` wait for it to take them.

        Raises
        ------
        ConnectionLost
            The client has gone.
        SessionTimeout
            It has taken nothing for ``Limits.send_seconds``.
        ProtocolError
            The message is not in the protocol.
        """
        encoded = encode(message)
        # the end of a session is not held up, and the loop must not wait for itself; both are a few small messages
        waits = not isinstance(message, Fault | Close) and threading.get_ident() != self._loop_thread
        with self.lock:
            if waits:
                self._wait_for_room()
            if self.gone:
                raise ConnectionLost("the client has gone")
            self.outgoing.push(encoded.frames(self.token, self.outgoing.next_seq))
        self._schedule()

    def _wait_for_room(self) -> None:
        began = time.monotonic()
        while self.outgoing.kept_bytes >= self._limits.queue_bytes and not self.gone:
            left = max(began, self.progressed) + self._limits.send_seconds - time.monotonic()
            if left <= 0:
                raise SessionTimeout(
                    f"the client has taken nothing for {self._limits.send_seconds:g} s, "
                    f"{self.outgoing.kept_bytes} bytes wait for it"
                )
            self.lock.wait(left)

    def consumed(self, nbytes: int) -> None:
        """Give the client credit for so many bytes."""
        with self.lock:
            self.incoming.consumed(nbytes)
            due = self.incoming.due
        if due:
            self._schedule()

    def ended(self) -> None:
        """Keep the session until the client has acknowledged everything, then forget it."""
        self.ended_at = time.monotonic()
        self.finished = True
        self._schedule()

    def _schedule(self) -> None:
        with self.lock:
            if self._scheduled or self.gone:
                return
            self._scheduled = True
        self._wake(self)

    # the loop

    def check_resume(self, ack: int) -> None:
        """Refuse numbers that cannot be, before anything changes.

        Raises
        ------
        ProtocolError
            The client claims what was never sent, or to have lost what it had acknowledged.
        """
        with self.lock:
            self.outgoing.check_ack(ack)

    def scheduled(self) -> None:
        """Say that the loop serves the peer now."""
        with self.lock:
            self._scheduled = False

    def give_up(self) -> None:
        """Say that the client will not come back; workers that wait for it learn it."""
        with self.lock:
            self.gone = True
            self.route = None
            self.outgoing.drop()
            self.lock.notify_all()

    def acknowledged(self, ack: int, credit: int) -> None:
        """Take the client's numbers.

        Raises
        ------
        ProtocolError
            They cannot be.
        """
        with self.lock:
            if self.outgoing.acknowledged(ack, credit):
                self.progressed = time.monotonic()
                self.lock.notify_all()

    def resume(self, route: bytes, ack: int, credit: int) -> None:
        """Go on over another connection; ``check_resume`` comes first."""
        with self.lock:
            self.outgoing.rewind(ack, credit)
            self.lock.notify_all()
        self.route = route
        self.over_told = False
        self.heard = self.progressed = time.monotonic()
