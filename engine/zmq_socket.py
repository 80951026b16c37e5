"""A ZeroMQ socket served by an asyncio loop: frames in by callback, frames out without ever blocking.

libzmq signals through one edge-triggered descriptor: it says "something changed" once, and sending may use that up. So
the events are asked for again after every change and every send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import zmq

from .zmq_envelope import Buffer

_BATCH = 16  # messages received before others in the loop have their turn
_BATCH_BYTES = 16 * 1024 * 1024
_RETRY_SECONDS = 0.005  # a ROUTER's POLLOUT means room for anyone, not for whom there was none: ask now and then


def notice_dead_peers(socket: zmq.Socket[bytes]) -> None:
    """Have TCP find out when the other machine is gone for good, so that its connection is freed."""
    socket.set(zmq.TCP_KEEPALIVE, 1)
    socket.set(zmq.TCP_KEEPALIVE_IDLE, 60)
    socket.set(zmq.TCP_KEEPALIVE_INTVL, 15)
    socket.set(zmq.TCP_KEEPALIVE_CNT, 4)


class LoopSocket:
    """A socket in the running loop.

    Parameters
    ----------
    socket
        Connected or bound; from here on it belongs to this object.
    on_message
        Called in the loop with the frames of each received message.
    on_writable
        Called in the loop when sending may work again after ``send`` said no.
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        on_message: Callable[[list[zmq.Frame]], None],
        on_writable: Callable[[], None] = lambda: None,
    ) -> None:
        self.socket = socket
        self._on_message = on_message
        self._on_writable = on_writable
        self._loop = asyncio.get_running_loop()
        self._descriptor = int(socket.getsockopt(zmq.FD))
        self._loop.add_reader(self._descriptor, self._changed)
        self._again = False
        self._full = False
        self._pause = _RETRY_SECONDS if socket.type == zmq.ROUTER else 0.0
        self._retry: asyncio.TimerHandle | None = None
        self._ask_again()

    @property
    def is_open(self) -> bool:
        """Whether ``close`` has not been called."""
        return not self.socket.closed

    def send(self, frames: Sequence[Buffer]) -> bool:
        """Send without waiting; the memory of large frames must not change any more.

        Returns
        -------
        bool
            False if there is no room; ``on_writable`` is called once there may be.

        Raises
        ------
        zmq.ZMQError
            EHOSTUNREACH: a ROUTER has no such peer.
        """
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
        except zmq.Again:
            self._full = True
            return False
        finally:
            self._ask_again()
        return True

    def close(self, linger_ms: int) -> None:
        """Close; what is still on its way out has so long to go."""
        if self.is_open:
            self._loop.remove_reader(self._descriptor)
            if self._retry is not None:
                self._retry.cancel()
            self.socket.close(linger_ms)

    def _ask_again(self) -> None:
        if not self._again:
            self._again = True
            self._loop.call_soon(self._asked_again)

    def _asked_again(self) -> None:
        self._again = False
        self._read()
        if self._full and self._retry is None:
            self._retry = self._loop.call_later(self._pause, self._write)

    def _changed(self) -> None:
        self._read()
        self._write()

    def _write(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._full and self.is_open and int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLOUT:
            self._full = False
            self._on_writable()

    def _read(self) -> None:
        left, count = _BATCH_BYTES, 0
        while self.is_open:
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            try:
                self._on_message(frames)
            except BaseException:
                self._ask_again()  # the loop reports it; the other messages are still read
                raise
            left -= sum(map(len, frames))
            count += 1
            if left < 0 or count == _BATCH:
                self._ask_again()
                break
