"""Echotrain's own protocol over ZeroMQ: one ROUTER for all sessions, served in the asyncio loop.

The loop only moves frames: decoding is a view of each frame, computing is the workers'. Here is who may say what; the
sessions are in ``zmq_sessions``, one session's end in ``zmq_peer``, numbers and credit in ``zmq_flow``.
"""

from __future__ import annotations

import asyncio
import time
from types import MappingProxyType
from typing import TYPE_CHECKING

import zmq

from ..curve_keys import CurveServer
from ..engine import Engine
from ..errors import ConfigurationError, PeerError, ProtocolError, WrongOrder
from ..peer import Frame
from ..zmq_codec import Numbered
from ..zmq_control import (
    Ack,
    Cancel,
    Control,
    Leave,
    Open,
    RefusedOpen,
    Resume,
    Status,
    StatusRequest,
    decode,
)
from ..zmq_envelope import Buffer, envelope_limit
from ..zmq_socket import LoopSocket, notice_dead_peers
from .zmq_curve import check_exposure, protect
from .zmq_peer import ZmqPeer
from .zmq_sessions import ZmqSessions

if TYPE_CHECKING:
    from zmq.auth.asyncio import AsyncioAuthenticator

HEARTBEAT = 5.0
"""Seconds; see ``zmq_control.Opened``."""
_QUEUED = 64  # messages that libzmq holds per connection and direction; bytes are bounded by credit


class ZmqListener:
    """Listens for ZeroMQ clients.

    Parameters
    ----------
    engine
        Takes the sessions.
    endpoint
        ``tcp://HOST:PORT``; port 0 or ``*`` for any free one, see ``endpoint`` afterwards.
    curve
        Keys; without them only this machine can be listened to.
    insecure
        Listen beyond it all the same.
    heartbeat
        Seconds between heartbeats.

    Raises
    ------
    ConfigurationError
        The endpoint can be reached from beyond this machine, and there are no keys.
    """

    def __init__(
        self,
        engine: Engine,
        endpoint: str,
        *,
        curve: CurveServer | None = None,
        insecure: bool = False,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        check_exposure(endpoint, curve, insecure=insecure)
        self._engine = engine
        self._wanted = endpoint
        self._curve = curve
        self._heartbeat = heartbeat
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._authenticator: AsyncioAuthenticator | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen.

        Raises
        ------
        ConfigurationError
            The endpoint is no endpoint, or is taken.
        """
        self._loop = asyncio.get_running_loop()
        self._context = zmq.Context()
        socket = self._context.socket(zmq.ROUTER)
        socket.set(zmq.ROUTER_MANDATORY, 1)  # without it a ROUTER drops in silence
        socket.set(zmq.SNDHWM, _QUEUED)
        socket.set(zmq.RCVHWM, _QUEUED)
        limits = self._engine.limits
        socket.set(zmq.MAXMSGSIZE, max(limits.message_bytes, limits.header_bytes, envelope_limit(limits)))
        socket.set(zmq.LINGER, 0)
        notice_dead_peers(socket)
        socket.set(zmq.BACKLOG, 1024)
        socket.set(zmq.IPV6, int("[" in self._wanted))
        if self._curve is not None:
            self._authenticator = protect(socket, self._curve)
        try:
            socket.bind(self._wanted)
        except zmq.ZMQError as error:
            socket.close(0)
            self._end_context()
            raise ConfigurationError(f"{self._wanted} cannot be listened on: {error.strerror}") from None
        self._sessions = ZmqSessions(self._engine, self._send, self._heartbeat)
        self._socket = LoopSocket(socket, self._receive, self._sessions.unblock)
        self._keeper = asyncio.create_task(self._sessions.keep_time(), name="zmq heartbeats")

    @property
    def endpoint(self) -> str:
        """Where it listens, with the real port."""
        return self._socket.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    async def close(self, linger_seconds: float = 1.0) -> None:
        """Stop. Sessions that have ended get their last messages out; others are lost."""
        if self._keeper is None:
            return
        deadline = time.monotonic() + linger_seconds
        while time.monotonic() < deadline and self._sessions.delivering:  # noqa: ASYNC110 rarely, and not for long
            await asyncio.sleep(0.01)
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        self._keeper = None
        self._sessions.lose_all("the engine stopped")
        self._socket.close(int(linger_seconds * 1000))
        await asyncio.to_thread(self._end_context)

    def _end_context(self) -> None:
        if self._authenticator is not None:
            self._authenticator.stop()
        if self._context is not None:
            self._context.term()

    def _send(self, frames: list[Buffer]) -> bool:
        return self._socket.send(frames)

    # receiving

    def _receive(self, frames: list[zmq.Frame]) -> None:
        route, *rest = frames
        peer = self._sessions.on(route.bytes)
        try:
            message = decode([rest[0].bytes, *(f.buffer for f in rest[1:])] if rest else [], self._engine.limits)
            if peer is None:
                self._from_stranger(route, message)
            else:
                peer.heard = time.monotonic()
                self._from_peer(peer, message, sum(map(len, rest)))
        except PeerError as error:
            if peer is None:
                self._sessions.answer(route.bytes, RefusedOpen(error.code, str(error)))
            else:
                self._sessions.fail(peer, error)

    def _from_stranger(self, route: zmq.Frame, message: Control | Numbered) -> None:
        match message:
            case Open():
                user, address = _property(route, "User-Id"), _property(route, "Peer-Address")
                self._sessions.open(route.bytes, message, user=user, address=address)
            case Resume():
                self._sessions.resume(route.bytes, message, user=_property(route, "User-Id"))
            case StatusRequest():
                self._sessions.answer(route.bytes, Status(MappingProxyType(self._engine.status())))
            case Leave():
                return  # what it leaves has gone already
            case Numbered() | Ack() | Cancel() if message.session in self._sessions:
                raise WrongOrder("the session is on another connection; resume it to go on over this one")
            case Numbered() | Ack() | Cancel():
                raise WrongOrder("there is no such session; it has ended, or was silent for too long")
            case _:
                raise WrongOrder(f"{type(message).__name__} is the engine's to send")

    def _from_peer(self, peer: ZmqPeer, message: Control | Numbered, nbytes: int) -> None:
        match message:
            case Numbered():
                _check_session(peer, message.session)
                self._data(peer, message, nbytes)
            case Ack():
                _check_session(peer, message.session)
                peer.acknowledged(message.ack, message.credit)
                self._sessions.serve(peer)
            case Cancel():
                _check_session(peer, message.session)
                reason = message.text or "cancelled by the client"
                self._loop.run_in_executor(None, peer.runner.cancel, reason)  # it may wait for the client
            case Leave():
                _check_session(peer, message.session)
                self._sessions.lose(peer, "the client left before the session ended")
            case StatusRequest() if peer.route is not None:
                self._sessions.answer(peer.route, Status(MappingProxyType(self._engine.status())))
            case Resume() if peer.route is not None:
                _check_session(peer, message.session)
                self._sessions.resume(peer.route, message, user=peer.user)
            case _:
                raise WrongOrder(f"{type(message).__name__} may not come while a session is open")

    def _data(self, peer: ZmqPeer, message: Numbered, nbytes: int) -> None:
        with peer.lock:
            new = peer.incoming.accept(message.seq, nbytes)
            due = peer.incoming.due
        if new and not peer.over:  # the client has been told, or is about to be
            peer.busy = peer.heard
            peer.runner.put(Frame(message.message, None, nbytes))
        if due:
            self._sessions.serve(peer)


def _check_session(peer: ZmqPeer, session: str) -> None:
    if session != peer.token:
        raise ProtocolError("the message names another session than the one on this connection")


def _property(frame: zmq.Frame, name: str) -> str:
    """Return a property of the connection that a frame came over, or "" if it has none."""
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return ""
