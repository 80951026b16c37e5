"""What a session has received and its chain has not taken yet: in memory, or on disk once that is full.

Without recording, a full queue makes the transport stop reading, which slows the scanner down. With it, everything is
written first, and what does not fit in memory stays on disk and is read back when its turn comes: the scanner is never
slowed and nothing is dropped.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from .errors import EchotrainError, Refused
from .limits import Limits
from .messages import Message
from .peer import Frame, Peer
from .recorder import Recorder
from .recordings import read_frames
from .worker import Worker

UNWRITTEN_BYTES = 2 * 1024 * 1024
"""Received bytes that may wait to be recorded: no more is lost by a crash, and so much is still in the processor's
cache when it is written."""


@dataclass(frozen=True, slots=True)
class _Begin:
    """Nothing will follow the header but data."""


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
class _Ended:
    """The session has ended: close the recording once everything before it is written."""

    outcome: str


_Item = _Begin | _Lost | _Arrived | _OnDisk | _Ended


class Consumer(Protocol):
    """Whoever takes what was received; all but ``fail`` are called from the intake's workers, in order."""

    def take(self, message: Message, at: float) -> None:
        """Take a message that came at ``at`` (monotonic seconds). Must not raise."""

    def take_begin(self) -> None:
        """Nothing will follow the header but data. Must not raise."""

    def take_lost(self, error: EchotrainError) -> None:
        """The transport failed after everything that was taken so far. Must not raise."""

    def fail(self, error: EchotrainError) -> None:
        """What was received cannot be recorded or handled."""

    def close_recording(self, outcome: str) -> None:
        """Everything received is recorded, and the session has ended."""


class Intake:
    """The way from a transport to a session.

    Parameters
    ----------
    consumer
        Takes what was received.
    peer
        Told what has been consumed.
    limits
        ``queue_bytes`` bounds what waits in memory.
    recorder
        Where received bytes go first, or None.
    name
        Of the session, for the threads' names.
    """

    def __init__(self, consumer: Consumer, peer: Peer, limits: Limits, recorder: Recorder | None, name: str) -> None:
        self._consumer = consumer
        self._peer = peer
        self._queue_bytes = limits.queue_bytes
        self._recorder = recorder
        self._waiting = 0
        self._unwritten = 0  # of the waiting bytes, those that are yet to be recorded
        self._lock = threading.Lock()
        self._ended = False
        self._inbox: Worker[_Item] = Worker(self._handle, name=f"session-{name}")
        self._first = self._inbox if recorder is None else Worker(self._record, name=f"record-{name}")

    # called by transports, never blocking

    @property
    def full(self) -> bool:
        """Whether the transport should stop reading until ``Peer.consumed``."""
        return self._waiting >= self._queue_bytes or self._unwritten >= UNWRITTEN_BYTES

    @property
    def backlog(self) -> int:
        """Frames that wait for a worker: while there are any, a transport does well to gather more into one block."""
        return len(self._first)

    @property
    def waiting_bytes(self) -> int:
        """Received bytes that wait in memory."""
        return self._waiting

    def put(self, frame: Frame) -> None:
        """Take a frame."""
        with self._lock:
            self._waiting += frame.nbytes
            if self._recorder is not None:
                self._unwritten += frame.nbytes
        if not self._enqueue(_Arrived(frame, time.monotonic()), self._first):
            self._written(frame)
            self._release(frame)

    def begin(self) -> None:
        """Nothing will follow the header but data."""
        self._enqueue(_Begin(), self._first)

    def lost(self, error: EchotrainError) -> None:
        """The transport failed."""
        self._enqueue(_Lost(error), self._first)

    def end(self, outcome: str) -> None:
        """Close the recording behind everything that came; without one, nothing is left to do."""
        self._ended = True
        if self._recorder is not None and not self._enqueue(_Ended(outcome), self._first):
            self._consumer.close_recording(outcome)

    def _enqueue(self, item: _Item, worker: Worker[_Item]) -> bool:
        try:
            worker.put(item)
        except Refused as error:
            self._consumer.fail(error)
            return False
        return True

    # recording worker

    def _record(self, item: _Item) -> None:
        match item:
            case _Arrived():
                self._record_frame(item)
            case _Ended(outcome):
                self._consumer.close_recording(outcome)
            case _:
                self._enqueue(item, self._inbox)

    def _record_frame(self, item: _Arrived) -> None:
        assert self._recorder is not None
        frame = item.frame
        try:
            offset, nbytes = self._recorder.append(frame)
        except EchotrainError as error:
            self._written(frame)
            self._release(frame)
            if not self._ended:
                self._consumer.fail(error)
            return
        self._written(frame)
        too_much = self._waiting - self._unwritten > self._queue_bytes // 2
        if too_much and self._recorder.is_open and len(self._inbox):
            on_disk = _OnDisk(offset, nbytes, item.at)
            if not self._inbox.replace_last(lambda last: _joined(last, on_disk)):
                self._enqueue(on_disk, self._inbox)
            self._release(frame)
        elif not self._enqueue(item, self._inbox):
            self._release(frame)

    # session worker

    def _handle(self, item: _Item) -> None:
        match item:
            case _Arrived(frame, at):
                self._consumer.take(frame.message, at)
                self._release(frame)
            case _OnDisk():
                self._read_back(item)
            case _Begin():
                self._consumer.take_begin()
                self._peer.consumed(0)
            case _Lost(error):
                self._consumer.take_lost(error)
            case _Ended():  # meant for the recording worker
                pass

    def _read_back(self, stretch: _OnDisk) -> None:
        assert self._recorder is not None
        try:
            for frame in read_frames(self._recorder.path, stretch.offset, stretch.nbytes):
                self._consumer.take(frame.message, stretch.at)
        except EchotrainError as error:
            self._consumer.fail(error)

    # accounts

    def _written(self, frame: Frame) -> None:
        if self._recorder is None:
            return
        with self._lock:
            held_up = self._unwritten >= UNWRITTEN_BYTES
            self._unwritten -= frame.nbytes
        if held_up or not self.backlog:
            self._peer.consumed(0)  # nothing has left the queue, but reading may go on, and what was gathered is wanted

    def _release(self, frame: Frame) -> None:
        with self._lock:
            self._waiting -= frame.nbytes
        self._peer.consumed(frame.nbytes)


def _joined(last: _Item, more: _OnDisk) -> _Item | None:
    """Join neighbouring stretches of the recording, so that what waits on disk takes no memory."""
    if isinstance(last, _OnDisk) and last.offset + last.nbytes == more.offset:
        return _OnDisk(last.offset, last.nbytes + more.nbytes, more.at)
    return None
