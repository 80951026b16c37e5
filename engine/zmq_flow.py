"""Numbers, credit and resumption of one direction each, without I/O; both ends of a session use the same two classes.

Messages of a direction are numbered from 1. Credit counts bytes (all frames of a numbered message) from the session's
start: a message may be sent if less than the granted total was sent before it, so that one larger than the whole window
still goes. Being absolute, numbers and credit can be repeated without harm, which is all that resumption needs.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .errors import LimitExceeded, ProtocolError
from .zmq_envelope import Buffer

ACK_MESSAGES = 64
"""Received messages after which an acknowledgement is due, however small they were."""
ACK_SHARE = 8
"""An acknowledgement is due once one part in so many of the window was received or has become free, or of what the
other side keeps for resending was received."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A numbered message on its way."""

    seq: int
    frames: list[Buffer]
    start: int
    """Bytes sent before it in this direction."""
    nbytes: int


class Outgoing:
    """What one side sends: numbered, kept until the other side has acknowledged it.

    Parameters
    ----------
    credit
        Bytes that may be sent at first.
    """

    def __init__(self, credit: int) -> None:
        self.credit = credit
        self.acked = 0
        self.kept_bytes = 0
        """Bytes of messages that are not acknowledged, sent or not."""
        self._kept: deque[Parcel] = deque()
        self._sent = 0  # how many of them have been handed to the socket since the last (re)connection
        self._seq = 0
        self._total = 0
        self._highest = 0  # last number ever handed to the socket

    @property
    def next_seq(self) -> int:
        """Number that the next message gets."""
        return self._seq + 1

    @property
    def may_push(self) -> bool:
        """Whether another message would go at once, as far as credit goes."""
        return self._total < self.credit

    @property
    def empty(self) -> bool:
        """Whether everything has been acknowledged."""
        return not self._kept

    def push(self, frames: list[Buffer]) -> Parcel:
        """Take the next message, already carrying ``next_seq``."""
        self._seq += 1
        nbytes = sum(map(len, frames))
        parcel = Parcel(self._seq, frames, self._total, nbytes)
        self._total += nbytes
        self.kept_bytes += nbytes
        self._kept.append(parcel)
        return parcel

    def next(self) -> Parcel | None:
        """Return what is to be sent next, or None if there is nothing or no credit; ``sent`` moves on."""
        if self._sent < len(self._kept):
            parcel = self._kept[self._sent]
            if parcel.start < self.credit:
                return parcel
        return None

    def sent(self) -> None:
        """Say that what ``next`` returned is with the socket."""
        self._highest = max(self._highest, self._kept[self._sent].seq)
        self._sent += 1

    def acknowledged(self, ack: int, credit: int) -> bool:
        """Take the other side's numbers; old ones do no harm. Return whether anything changed.

        Raises
        ------
        ProtocolError
            It acknowledges what was never sent.
        """
        if ack > self._highest:
            raise ProtocolError(f"message {ack} is acknowledged, but the last one sent is {self._highest}")
        changed = credit > self.credit or ack > self.acked
        self.credit = max(self.credit, credit)
        self.acked = max(self.acked, ack)
        while self._kept and self._kept[0].seq <= self.acked:
            self.kept_bytes -= self._kept.popleft().nbytes
            self._sent = max(0, self._sent - 1)
        return changed

    def rewind(self, ack: int, credit: int) -> None:
        """Start again after the last message that the other side received, on a new connection.

        Raises
        ------
        ProtocolError
            It claims what was never sent, or says that it lost what it had acknowledged.
        """
        self.check_ack(ack)
        self.acknowledged(ack, credit)
        self._sent = 0

    def check_ack(self, ack: int) -> None:
        """Refuse a number to resume after that cannot be.

        Raises
        ------
        ProtocolError
            As ``rewind``.
        """
        if not self.acked <= ack <= self._highest:
            raise ProtocolError(
                f"the session would resume after message {ack}, but {self.acked} was acknowledged before, "
                f"and {self._highest} is the last one that was sent"
            )

    def drop(self) -> None:
        """Forget what is kept: the session is over."""
        self._kept.clear()
        self._sent = 0
        self.kept_bytes = 0


class Incoming:
    """What one side receives: in order, each once, within the credit that it granted.

    Parameters
    ----------
    window
        Bytes that may be on their way or waiting to be used.
    kept_there
        Bytes that the other side keeps for resending before it stops; None if only credit stops it.
    """

    def __init__(self, window: int, kept_there: int | None = None) -> None:
        self.window = window
        self._ack_bytes = (window if kept_there is None else min(window, kept_there)) // ACK_SHARE
        self.received = 0
        """Number of the last message received."""
        self.granted = window
        """Credit that the other side knows of."""
        self._bytes = 0
        self._consumed = 0
        self._acked = 0
        self._acked_bytes = 0

    def accept(self, seq: int, nbytes: int) -> bool:
        """Say whether a message is new; one that came before is to be thrown away.

        Raises
        ------
        ProtocolError
            Messages before it are missing.
        LimitExceeded
            It was sent without credit.
        """
        if seq <= self.received:
            return False
        if seq != self.received + 1:
            raise ProtocolError(f"message {seq} came after message {self.received}: what was between is missing")
        if self._bytes >= self.granted:
            raise LimitExceeded(
                f"message {seq} was sent without credit: {self._bytes} bytes were sent, {self.granted} were granted"
            )
        self.received = seq
        self._bytes += nbytes
        return True

    def consumed(self, nbytes: int) -> None:
        """Say that so many received bytes no longer take memory; negative for memory taken by something else."""
        self._consumed += nbytes

    @property
    def due(self) -> bool:
        """Whether the other side should hear from ``report`` before the next heartbeat."""
        return (
            self.received - self._acked >= ACK_MESSAGES
            or self._bytes - self._acked_bytes > self._ack_bytes
            or self._consumed + self.window - self.granted > self.window // ACK_SHARE
        )

    def report(self) -> tuple[int, int]:
        """Return the last number received and the credit, and count both as told."""
        self.granted = max(self.granted, self._consumed + self.window)
        self._acked, self._acked_bytes = self.received, self._bytes
        return self.received, self.granted
