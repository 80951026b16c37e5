"""One MRD connection at the engine's end: joins the codec to a session's runner.

Everything here runs in the event loop's thread, except for the methods of ``Peer``, which workers call.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from enum import Enum, auto
from typing import TYPE_CHECKING, cast

from ..errors import ConnectionLost, EchotrainError, SessionTimeout, Truncated
from ..messages import Close, Message
from ..mrd_buffer import LARGEST, LARGEST_CACHED
from ..mrd_codec import MrdDecoder, ReceiveBuffer, encode, encode_bytes
from ..peer import Frame
from ..runner import Runner
from ..session import State, fault
from .outbox import Outbox

if TYPE_CHECKING:
    from .mrd_tcp import MrdListener

LINGER_SECONDS = 5.0
"""Time for which a client that was sent everything may take to close its end."""

_SHAKING_HANDS = (State.AWAITING_CONFIG, State.AWAITING_HEADER)


class _Phase(Enum):
    """What becomes of the bytes that come in."""

    TAKING = auto()  # they are decoded
    IGNORING = auto()  # CLOSE came, or something that cannot be read: nothing after it counts
    ENDED = auto()  # the session is over: everything goes out, then the connection closes


class MrdPeer(asyncio.BufferedProtocol):
    """The engine's end of one connection.

    Parameters
    ----------
    listener
        Watches over it.
    loop
        In whose thread it lives.
    """

    def __init__(self, listener: MrdListener, loop: asyncio.AbstractEventLoop) -> None:
        self._listener = listener
        self._loop = loop
        self._limits = listener.engine.limits
        self._phase = _Phase.TAKING
        self._runner: Runner | None = None
        self._buffer: ReceiveBuffer | None = None
        self._held = False  # bytes that are not decoded yet, because workers are busy: they make larger blocks
        self._paused = False  # reading, because the runner's queue is full
        self._warned = False  # once a connection is enough
        self._eof = False  # the client will send nothing more
        self._opened_at = self._heard_at = loop.time()
        self._message_since: float | None = None  # since when a message is incomplete
        self._flushed_at: float | None = None  # when everything of an ended session had gone out

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open a session for a client."""
        self._transport = cast("asyncio.Transport", transport)
        self._outbox = Outbox(self._loop, self._transport, self._limits.send_seconds)
        self._listener.add(self)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # asyncio sets NODELAY
        address = transport.get_extra_info("peername")  # None for a client that has already gone
        remote = "{}:{}".format(*address[:2]) if address else "gone"
        try:
            self._runner = self._listener.engine.open(self, transport="mrd", remote=remote)
        except EchotrainError as error:
            for message in (fault(error), Close()):
                self._outbox.write(encode(message))
            self._end()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return memory to receive into."""
        if self._phase is not _Phase.TAKING:
            return self._listener.scratch
        if self._buffer is None:
            recorded = self._runner is not None and self._runner.recorder is not None
            self._buffer = ReceiveBuffer(MrdDecoder(self._limits), LARGEST_CACHED if recorded else LARGEST)
        return self._buffer.room()

    def buffer_updated(self, nbytes: int) -> None:
        """Decode what has come, and hand it to the runner, or gather more if workers are behind."""
        if self._runner is None:
            return
        if self._phase is not _Phase.TAKING or self._buffer is None:
            self._warn(nbytes)
            return
        self._heard_at = self._loop.time()
        self._buffer.add(nbytes)
        self._held = bool(self._runner.backlog) and not self._buffer.is_full
        if not self._held:
            self._decode()
        elif not self._runner.backlog:  # the worker took the last one before it could see that bytes are held
            self._decode_held()

    def _decode(self) -> None:
        if self._runner is None or self._buffer is None:
            return
        decoder = self._buffer.decoder
        before = decoder.position
        try:
            for frame in self._buffer.frames():
                self._runner.put(frame)
                if isinstance(frame.message, Close):
                    self._warn(self._buffer.unread)
                    self._ignore()
                    return
        except EchotrainError as error:
            self._lose(error)
            return
        if not decoder.pending:
            self._message_since = None
        elif self._message_since is None or decoder.position != before:
            self._message_since = self._heard_at
        if self._runner.full:
            self._pause()

    def _decode_held(self) -> None:
        if self._held:
            self._held = False
            if self._phase is _Phase.TAKING:
                self._decode()

    def eof_received(self) -> bool:
        """Go on sending if the client only shut down its sending end; many do so after CLOSE."""
        self._eof = True
        self._decode_held()
        if self._phase is _Phase.TAKING and self._runner is not None:
            if self._buffer is None or not (self._buffer.unread or self._buffer.decoder.position):
                # a probe that only asks whether somebody listens has not failed
                self._runner.put(Frame(Close(), encode_bytes(Close()), 2))
                self._ignore()
            else:
                try:
                    self._buffer.decoder.finish()
                    self._lose(Truncated("the client ended its stream without CLOSE"))
                except Truncated as error:
                    self._lose(error)
        return self._phase is not _Phase.ENDED

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the runner, unless the session had ended."""
        self._decode_held()
        self._listener.discard(self)
        gone = ConnectionLost(f"the client has disconnected{f': {error}' if error else ''}")
        self._outbox.fail(gone)
        if self._phase is not _Phase.ENDED and self._runner is not None:
            self._runner.lost(gone)
        self._phase, self._buffer = _Phase.ENDED, None

    def pause_writing(self) -> None:
        """Make the workers wait that send."""
        self._outbox.pause()

    def resume_writing(self) -> None:
        """Let them go on."""
        self._outbox.resume()

    # what the runner's workers call

    def send(self, message: Message) -> None:
        """Send to the client; see ``Peer``."""
        self._outbox.send(encode(message))

    def consumed(self, nbytes: int) -> None:
        """Go on decoding and reading if that was waited for."""
        if self._held or self._paused:
            with contextlib.suppress(RuntimeError):  # the loop has closed, and the connection with it
                self._loop.call_soon_threadsafe(self._go_on)

    def _go_on(self) -> None:
        self._decode_held()
        self._resume()

    def ended(self) -> None:
        """Close the connection once everything has gone out."""
        with contextlib.suppress(RuntimeError):  # the loop has closed, and the connection with it
            self._loop.call_soon_threadsafe(self._end)

    # what the listener calls

    def check(self, now: float) -> None:
        """Hold the connection against the times that the limits allow."""
        slow = self._outbox.check(now)
        if self._phase is _Phase.ENDED:
            if self._outbox.unsent == 0 and self._flushed_at is None:
                self._flushed_at = now
            if slow is not None or (self._flushed_at is not None and now - self._flushed_at > LINGER_SECONDS):
                self.abort()
        elif slow is not None:
            self._lose(slow)
        elif self._phase is _Phase.TAKING and not self._paused:
            late = self._late(now)
            if late is not None:
                self._lose(SessionTimeout(late))
            elif self._buffer is not None and now - self._heard_at > 1.0:
                self._buffer.drop()

    def leave(self) -> None:
        """Close if nothing is left to be sent, and cut a session off that has not ended."""
        if self._phase is not _Phase.ENDED:
            self.abort()
        elif self._outbox.unsent == 0:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection off."""
        self._transport.abort()

    # within

    def _late(self, now: float) -> str | None:
        limits = self._limits
        if self._runner is not None and self._runner.state in _SHAKING_HANDS:
            if now - self._opened_at > limits.handshake_seconds:
                return f"no configuration and header within {limits.handshake_seconds:g} s"
        elif now - self._heard_at > limits.idle_seconds:
            return f"nothing received for {limits.idle_seconds:g} s"
        if self._message_since is not None and now - self._message_since > limits.message_seconds:
            return f"a message is still incomplete after {limits.message_seconds:g} s"
        return None

    def _pause(self) -> None:
        self._paused = True
        self._transport.pause_reading()
        self._resume()  # a worker may have emptied the queue before it could see that this waits

    def _resume(self) -> None:
        if self._paused and (self._phase is not _Phase.TAKING or self._runner is None or not self._runner.full):
            self._paused = False
            self._heard_at = self._loop.time()  # what was not read was not late
            if self._message_since is not None:
                self._message_since = self._heard_at
            self._transport.resume_reading()

    def _warn(self, nbytes: int) -> None:
        if nbytes and not self._warned and self._phase is not _Phase.ENDED and self._runner is not None:
            self._warned = True
            self._runner.log.warning("bytes after the end of the client's stream are ignored", bytes=nbytes)

    def _ignore(self) -> None:
        self._phase, self._buffer = _Phase.IGNORING, None

    def _lose(self, error: EchotrainError) -> None:
        """End the session because of what the client did; the runner tells it, if it still can."""
        self._ignore()
        self._resume()
        if self._runner is not None:
            self._runner.lost(error)

    def _end(self) -> None:
        """Send what is left, say that this is all, and wait a while for the client to close.

        Closing at once would reset the connection if unread bytes of the client lie here, and a reset takes with it
        what the client has not read yet.
        """
        if self._transport.is_closing():
            return
        self._phase, self._buffer = _Phase.ENDED, None
        self._resume()
        if self._outbox.failed:
            self.abort()
        elif self._eof:
            self._transport.close()
        else:
            self._transport.write_eof()
