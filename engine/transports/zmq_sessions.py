"""The ZeroMQ sessions of one engine: which there are, which connection carries each, and what time does to them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from types import MappingProxyType

import zmq

from ... import __version__
from ..engine import Engine
from ..errors import ConnectionLost, EchotrainError, PeerError, ProtocolError, SessionTimeout, WrongOrder
from ..logs import get_logger
from ..peer import Frame
from ..session import State
from ..zmq_control import Ack, Control, Open, Opened, RefusedOpen, Resume, Resumed, encode_control
from ..zmq_envelope import VERSION, Buffer
from .zmq_peer import ZmqPeer

MISSED = 3
"""A connection on which nothing was heard for so many heartbeats is taken for lost."""


class ZmqSessions:
    """Sessions by token and by connection; every method is the loop's.

    Parameters
    ----------
    engine
        Takes the sessions.
    send
        Sends frames, the first of them the route; says False if there is no room, and raises ``zmq.ZMQError`` if the
        connection has gone.
    heartbeat
        Seconds between heartbeats.
    """

    def __init__(self, engine: Engine, send: Callable[[list[Buffer]], bool], heartbeat: float) -> None:
        self._engine = engine
        self._send_frames = send
        self._heartbeat = heartbeat
        self._loop = asyncio.get_running_loop()
        self._peers: dict[str, ZmqPeer] = {}
        self._routes: dict[bytes, ZmqPeer] = {}
        self._blocked: set[ZmqPeer] = set()
        self._log = get_logger()

    def on(self, route: bytes) -> ZmqPeer | None:
        """Return the session that a connection carries."""
        return self._routes.get(route)

    def __contains__(self, token: object) -> bool:
        return token in self._peers

    def __len__(self) -> int:
        return len(self._peers)

    @property
    def delivering(self) -> bool:
        """Whether a session that has ended still waits for a connected client to take everything."""
        return any(peer.finished and peer.route is not None for peer in self._peers.values())

    # opening and resuming

    def open(self, route: bytes, message: Open, *, user: str, address: str) -> None:
        """Begin a session, or say why not.

        Raises
        ------
        ProtocolError
            The client chose the connection's name, so that another client could take it over.
        """
        if not route.startswith(b"\0"):
            raise ProtocolError("the client set ZMQ_ROUTING_ID; leave it to the engine")
        limits = self._engine.limits
        peer = ZmqPeer(
            token=secrets.token_urlsafe(24),
            route=route,
            user=user,
            limits=limits,
            credit=message.credit,
            resumable=message.resumable,
            wake=self._wake,
        )
        try:
            peer.runner = self._engine.open(peer, transport="zmq", remote=f"{address} {message.client[:80]}".strip())
        except EchotrainError as error:
            self.answer(route, RefusedOpen(error.code, str(error)))
            return
        self._peers[peer.token] = self._routes[route] = peer
        if not self.answer(route, self._opened(peer)):
            self.lose(peer, "the client went away while the session was opened")
            return
        nbytes = len(message.header.xml)
        peer.incoming.consumed(-nbytes)  # it takes memory, but no credit was asked for it
        peer.runner.put(Frame(message.config, None, 0))
        peer.runner.put(Frame(message.header, None, nbytes))
        if message.parameters is not None:
            peer.runner.put(Frame(message.parameters, None, 0))
        peer.runner.begin()

    def _opened(self, peer: ZmqPeer) -> Opened:
        limits = self._engine.limits
        names = ("message_bytes", "text_bytes", "header_bytes", "session_bytes", "queue_bytes")
        return Opened(
            session=peer.token,
            id=peer.runner.session_id,
            version=VERSION,
            credit=peer.incoming.granted,
            heartbeat=self._heartbeat,
            resume_seconds=limits.resume_seconds if peer.resumable else 0.0,
            limits=MappingProxyType({name: getattr(limits, name) for name in names}),
            engine=f"echotrain {__version__}",
        )

    def resume(self, route: bytes, message: Resume, *, user: str) -> None:
        """Go on with a session over this connection.

        Raises
        ------
        WrongOrder
            There is no such session, or it is another client's.
        ProtocolError
            The client's numbers cannot be.
        """
        peer = self._peers.get(message.session)
        if peer is None or peer.user != user or not peer.resumable:
            raise WrongOrder("there is no such session to resume; it has ended, or was silent for too long")
        peer.check_resume(message.ack)
        self._detach(peer)
        peer.resume(route, message.ack, message.credit)
        self._routes[route] = peer
        with peer.lock:
            ack, credit = peer.incoming.report()
        self.answer(route, Resumed(peer.token, ack, credit))
        self._log.info("session resumed", session=peer.runner.session_id, received=ack)
        self.serve(peer)

    # ending

    def lose(self, peer: ZmqPeer, why: str) -> None:
        """Give the client up."""
        if not peer.finished:
            peer.runner.lost(ConnectionLost(why))
        self._forget(peer)

    def lose_all(self, why: str) -> None:
        """Give all clients up."""
        for peer in list(self._peers.values()):
            self.lose(peer, why)

    def fail(self, peer: ZmqPeer, error: PeerError) -> None:
        """End a session for what its client did; the client learns it after everything that came before."""
        if not peer.failed and not peer.finished:
            peer.failed = True
            peer.runner.lost(error)

    def _detach(self, peer: ZmqPeer) -> None:
        """Take the connection for lost."""
        if peer.route is None:
            return
        self._routes.pop(peer.route, None)
        self._blocked.discard(peer)
        peer.route = None
        peer.detached = time.monotonic()
        if not peer.resumable:
            self.lose(peer, "the connection to the client was lost")

    def _forget(self, peer: ZmqPeer) -> None:
        self._peers.pop(peer.token, None)
        if peer.route is not None:
            self._routes.pop(peer.route, None)
        self._blocked.discard(peer)
        peer.give_up()

    # sending

    def _wake(self, peer: ZmqPeer) -> None:
        try:
            self._loop.call_soon_threadsafe(self.serve, peer)
        except RuntimeError:  # the loop has closed, and nobody can be served any more
            peer.give_up()

    def serve(self, peer: ZmqPeer) -> None:
        """Send what may be sent, and forget a session that is through."""
        peer.scheduled()
        while peer.route is not None and peer not in self._blocked:
            with peer.lock:
                parcel = peer.outgoing.next()
                if parcel is None or not self._send(peer, parcel.frames):
                    break
                peer.outgoing.sent()
        if peer.incoming.due or (peer.over and not peer.over_told):
            self._acknowledge(peer)
        if peer.finished and peer.outgoing.empty:
            self._forget(peer)

    def _acknowledge(self, peer: ZmqPeer) -> None:
        if peer.route is not None and peer not in self._blocked:
            with peer.lock:
                ack, credit = peer.incoming.report()
            over = peer.over
            if self._send(peer, encode_control(Ack(peer.token, ack, credit, over))):
                peer.over_told = over

    def _send(self, peer: ZmqPeer, frames: list[Buffer]) -> bool:
        assert peer.route is not None
        try:
            if self._send_frames([peer.route, *frames]):
                peer.told = time.monotonic()
                return True
        except zmq.ZMQError as error:
            self._log.info("connection lost", session=peer.runner.session_id, error=error.strerror)
            self._detach(peer)
            return False
        self._blocked.add(peer)
        return False

    def unblock(self) -> None:
        """Try again where there was no room."""
        peers, self._blocked = self._blocked, set()
        for peer in peers:
            self.serve(peer)

    def answer(self, route: bytes, control: Control) -> bool:
        """Send to a connection; one that does not read its few answers, or has gone, gets none."""
        try:
            return self._send_frames([route, *encode_control(control)])
        except zmq.ZMQError:
            return False

    # time

    async def keep_time(self) -> None:
        """Send heartbeats and notice who is silent, for ever."""
        while True:
            await asyncio.sleep(min(1.0, self._heartbeat / 4))
            self.unblock()
            now = time.monotonic()
            for peer in list(self._peers.values()):
                self._check_time(peer, now)

    def _check_time(self, peer: ZmqPeer, now: float) -> None:
        limits = self._engine.limits
        if peer.route is None:
            if now - peer.detached > limits.resume_seconds:
                self.lose(peer, f"the client was silent for {now - peer.heard:.0f} s and did not come back")
        elif now - peer.heard > MISSED * self._heartbeat:
            self._log.info("client silent", session=peer.runner.session_id, seconds=round(now - peer.heard, 1))
            self._detach(peer)
        elif peer.finished and now - max(peer.progressed, peer.ended_at) > limits.send_seconds:
            self._forget(peer)
        else:
            if peer.runner.state is State.STREAMING and now - peer.busy > limits.idle_seconds:
                self.fail(peer, SessionTimeout(f"no data came for {limits.idle_seconds:g} s"))
            if now - peer.told >= self._heartbeat:
                self._acknowledge(peer)
