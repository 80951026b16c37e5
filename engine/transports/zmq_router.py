"""Echotrain's own protocol over ZeroMQ: one ROUTER for all sessions, served in the asyncio loop.

The loop only moves frames: decoding is a view of each frame, computing is the workers'. What belongs to one session is
in ``zmq_peer``; numbers and credit are in ``zmq_flow``.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog
import zmq

from ... import __version__
from ..curve_keys import CurveServer
from ..engine import Engine
from ..errors import ConfigurationError, ConnectionLost, PeerError, ProtocolError, Refused, SessionTimeout, WrongOrder
from ..peer import Frame
from ..session import State
from ..zmq_codec import Numbered
from ..zmq_control import (
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
from ..zmq_envelope import VERSION, envelope_limit
from ..zmq_socket import LoopSocket
from .zmq_curve import check_exposure, protect
from .zmq_peer import ZmqPeer

if TYPE_CHECKING:
    from zmq.auth.asyncio import AsyncioAuthenticator

HEARTBEAT = 5.0
"""Seconds; see ``zmq_control.Opened``."""
MISSED = 3
"""A connection on which nothing was heard for so many heartbeats is taken for lost."""
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
        self._peers: dict[str, ZmqPeer] = {}
        self._routes: dict[bytes, ZmqPeer] = {}
        self._blocked: set[ZmqPeer] = set()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._authenticator: AsyncioAuthenticator | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("echotrain")

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
        self._socket = LoopSocket(socket, self._receive, self._unblock)
        self._keeper = asyncio.create_task(self._keep_time(), name="zmq heartbeats")

    @property
    def endpoint(self) -> str:
        """Where it listens, with the real port."""
        return self._socket.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    async def close(self, linger_seconds: float = 1.0) -> None:
        """Stop. Sessions that have ended get their last messages out; others are lost."""
        if self._keeper is None:
            return
        deadline = time.monotonic() + linger_seconds
        while time.monotonic() < deadline and any(p.finished and p.route for p in self._peers.values()):
            await asyncio.sleep(0.01)
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        self._keeper = None
        for peer in list(self._peers.values()):
            self._lose(peer, "the engine stopped")
        self._socket.close(int(linger_seconds * 1000))
        await asyncio.to_thread(self._end_context)

    def _end_context(self) -> None:
        if self._authenticator is not None:
            self._authenticator.stop()
        if self._context is not None:
            self._context.term()

    # receiving

    def _receive(self, frames: list[zmq.Frame]) -> None:
        route, *rest = frames
        peer = self._routes.get(route.bytes)
        nbytes = sum(map(len, rest))
        try:
            message = decode([rest[0].bytes, *(f.buffer for f in rest[1:])] if rest else [], self._engine.limits)
            if peer is None:
                self._from_stranger(route, message)
            else:
                self._from_peer(peer, message, nbytes)
        except PeerError as error:
            if peer is None:
                self._control(route.bytes, RefusedOpen(error.code, str(error)))
            else:
                self._fail(peer, error)

    def _from_stranger(self, route: zmq.Frame, message: Control | Numbered) -> None:
        match message:
            case Open():
                self._open(route, message)
            case Resume():
                self._resume(route, message)
            case StatusRequest():
                self._control(route.bytes, Status(MappingProxyType(self._engine.status())))
            case Numbered() | Ack() | Cancel() | Leave() if message.session in self._peers:
                raise WrongOrder("the session is on another connection; resume it to go on over this one")
            case Leave():
                return  # what it leaves has gone already
            case Numbered() | Ack() | Cancel():
                raise WrongOrder("there is no such session; it has ended, or was silent for too long")
            case _:
                raise WrongOrder(f"{type(message).__name__} is the engine's to send")

    def _from_peer(self, peer: ZmqPeer, message: Control | Numbered, nbytes: int) -> None:
        peer.heard = time.monotonic()
        match message:
            case Numbered():
                self._check_session(peer, message.session)
                self._data(peer, message, nbytes)
            case Ack():
                self._check_session(peer, message.session)
                peer.acknowledged(message.ack, message.credit)
                self._serve(peer)
            case Cancel():
                self._check_session(peer, message.session)
                self._loop.run_in_executor(None, peer.runner.cancel, message.text or "cancelled by the client")
            case Leave():
                self._check_session(peer, message.session)
                self._lose(peer, "the client left before the session ended")
            case StatusRequest():
                assert peer.route is not None
                self._control(peer.route, Status(MappingProxyType(self._engine.status())))
            case Resume():
                self._check_session(peer, message.session)
                self._attach(peer, peer.route or b"", message)
            case _:
                raise WrongOrder(f"{type(message).__name__.lower()} may not come while a session is open")

    def _check_session(self, peer: ZmqPeer, session: str) -> None:
        if session != peer.token:
            raise ProtocolError("the message names another session than the one on this connection")

    def _data(self, peer: ZmqPeer, message: Numbered, nbytes: int) -> None:
        with peer.lock:
            new = peer.incoming.accept(message.seq, nbytes)
            thrown_away = peer.failed or peer.finished
            if new and thrown_away:
                peer.incoming.consumed(nbytes)
        if new and not thrown_away:
            peer.busy = peer.heard
            peer.runner.put(Frame(message.message, None, nbytes))
        if peer.incoming.due:
            self._serve(peer)

    # sessions

    def _open(self, route: zmq.Frame, message: Open) -> None:
        name = route.bytes
        if not name.startswith(b"\0"):  # a name that the client chose could be taken over by another client
            raise ProtocolError("the client set ZMQ_ROUTING_ID; leave it to the engine")
        limits = self._engine.limits
        peer = ZmqPeer(
            token=secrets.token_urlsafe(24),
            route=name,
            user=_property(route, "User-Id"),
            limits=limits,
            credit=message.credit,
            resumable=message.resumable,
            wake=self._wake,
        )
        remote = f"{_property(route, 'Peer-Address')} {message.client[:80]}".strip()
        try:
            peer.runner = self._engine.open(peer, transport="zmq", remote=remote)
        except Refused as error:
            self._control(name, RefusedOpen(error.code, str(error)))
            return
        self._peers[peer.token] = self._routes[name] = peer
        told = self._control(
            name,
            Opened(
                session=peer.token,
                id=peer.runner.session_id,
                version=VERSION,
                credit=peer.incoming.granted,
                heartbeat=self._heartbeat,
                resume_seconds=limits.resume_seconds if message.resumable else 0.0,
                limits=MappingProxyType(
                    {
                        "message_bytes": limits.message_bytes,
                        "text_bytes": limits.text_bytes,
                        "header_bytes": limits.header_bytes,
                        "session_bytes": limits.session_bytes,
                    }
                ),
                engine=f"echotrain {__version__}",
            ),
        )
        if not told:
            self._lose(peer, "the client does not read")
            return
        header_bytes = len(message.header.xml)
        peer.incoming.consumed(-header_bytes)  # it takes memory, but no credit was asked for it
        peer.runner.put(Frame(message.config, None, 0))
        peer.runner.put(Frame(message.header, None, header_bytes))
        if message.parameters is not None:
            peer.runner.put(Frame(message.parameters, None, 0))
        peer.runner.begin()

    def _resume(self, route: zmq.Frame, message: Resume) -> None:
        peer = self._peers.get(message.session)
        if peer is None or peer.user != _property(route, "User-Id"):
            raise WrongOrder("there is no such session to resume; it has ended, or was silent for too long")
        self._detach(peer)
        if peer.token in self._peers:  # one that is not resumable has just been given up
            self._attach(peer, route.bytes, message)

    def _attach(self, peer: ZmqPeer, route: bytes, message: Resume) -> None:
        try:
            peer.resume(route, message.ack, message.credit)
        except ProtocolError as error:
            self._control(route, RefusedOpen(error.code, str(error)))
            return
        self._routes[route] = peer
        with peer.lock:
            ack, credit = peer.incoming.report()
        self._control(route, Resumed(peer.token, ack, credit))
        self._log.info("session resumed", session=peer.runner.session_id, received=ack)
        self._serve(peer)

    def _detach(self, peer: ZmqPeer) -> None:
        """Take the connection for lost."""
        if peer.route is None:
            return
        self._routes.pop(peer.route, None)
        self._blocked.discard(peer)
        peer.route = None
        peer.detached = time.monotonic()
        if not peer.resumable:
            self._lose(peer, "the connection to the client was lost")

    def _lose(self, peer: ZmqPeer, why: str) -> None:
        """Give the client up."""
        if not peer.finished:
            peer.runner.lost(ConnectionLost(why))
        self._forget(peer)

    def _forget(self, peer: ZmqPeer) -> None:
        self._peers.pop(peer.token, None)
        if peer.route is not None:
            self._routes.pop(peer.route, None)
        self._blocked.discard(peer)
        peer.give_up()

    def _fail(self, peer: ZmqPeer, error: PeerError) -> None:
        """End a session for what its client did; the client learns it after everything that came before."""
        if not peer.failed and not peer.finished:
            peer.failed = True
            peer.runner.lost(error)

    # sending

    def _wake(self, peer: ZmqPeer) -> None:
        try:
            self._loop.call_soon_threadsafe(self._serve, peer)
        except RuntimeError:  # the loop has closed, and nobody can be served any more
            peer.give_up()

    def _serve(self, peer: ZmqPeer) -> None:
        """Send what may be sent."""
        peer.scheduled()
        while peer.route is not None and peer not in self._blocked:
            with peer.lock:
                parcel = peer.outgoing.next()
                if parcel is None:
                    break
                if not self._send(peer, parcel.frames):
                    return
                peer.outgoing.sent()
        if peer.route is not None and peer.incoming.due:
            self._acknowledge(peer)
        if peer.finished and peer.outgoing.empty:
            self._forget(peer)

    def _acknowledge(self, peer: ZmqPeer) -> None:
        if peer.route is not None and peer not in self._blocked:
            with peer.lock:
                ack, credit = peer.incoming.report()
            self._send(peer, encode_control(Ack(peer.token, ack, credit)))

    def _send(self, peer: ZmqPeer, frames: list[bytes | memoryview]) -> bool:
        assert peer.route is not None
        try:
            if self._socket.send([peer.route, *frames]):
                peer.told = time.monotonic()
                return True
        except zmq.ZMQError as error:
            self._log.info("connection lost", session=peer.runner.session_id, error=error.strerror)
            self._detach(peer)
            return False
        self._blocked.add(peer)
        return False

    def _unblock(self) -> None:
        peers, self._blocked = self._blocked, set()
        for peer in peers:
            self._serve(peer)

    def _control(self, route: bytes, control: Control) -> bool:
        """Send to a connection; one that does not read its few answers, or has gone, gets none."""
        try:
            return self._socket.send([route, *encode_control(control)])
        except zmq.ZMQError:
            return False

    # time

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self._heartbeat / 4))
            now = time.monotonic()
            self._unblock()
            for peer in list(self._peers.values()):
                self._check_time(peer, now)

    def _check_time(self, peer: ZmqPeer, now: float) -> None:
        limits = self._engine.limits
        if peer.route is None:
            if now - peer.detached > limits.resume_seconds:
                self._lose(peer, f"the client was silent for {now - peer.heard:.0f} s and did not come back")
        elif now - peer.heard > MISSED * self._heartbeat:
            self._log.info("client silent", session=peer.runner.session_id, seconds=round(now - peer.heard, 1))
            self._detach(peer)
        elif peer.finished and now - max(peer.progressed, peer.told) > limits.send_seconds:
            self._forget(peer)
        else:
            if peer.runner.state is State.STREAMING and now - peer.busy > limits.idle_seconds:
                self._fail(peer, SessionTimeout(f"no data came for {limits.idle_seconds:g} s"))
            if now - peer.told >= self._heartbeat:
                self._acknowledge(peer)


def _property(frame: zmq.Frame, name: str) -> str:
    """Return a property of the connection that a frame came over, or "" if it has none."""
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return ""
