"""One ZeroMQ connection of a client: made, watched, and lost at most once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import zmq
from zmq.utils.monitor import parse_monitor_message

from ..engine.curve_keys import CurveClient
from ..engine.errors import ConfigurationError, ConnectionLost
from ..engine.zmq_envelope import Buffer
from ..engine.zmq_socket import LoopSocket, notice_dead_peers

_QUEUED = 64  # messages that libzmq holds in each direction; bytes are bounded by credit
_SOCKETS = 65_535  # of the process; libzmq's 1,023 are too few for a stress test
_LINGER_MS = 1000
_REFUSED = {
    zmq.Event.HANDSHAKE_FAILED_AUTH: "the engine does not allow this client's key",
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL: "the other side does not speak ZeroMQ, or not with the same kind of keys",
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL: "the handshake failed; if the engine has CURVE keys, check its public key",
    zmq.Event.DISCONNECTED: "the connection was lost",
    zmq.Event.CLOSED: "nobody listens there",
}


class ZmqWire:
    """A DEALER that does not reconnect by itself: the session above it must know, to resume.

    Parameters
    ----------
    endpoint
        ``tcp://HOST:PORT`` of the engine.
    curve
        Keys, if the engine asks for them.
    on_message
        Called in the loop with the frames of each message.
    on_writable
        Called in the loop when sending may work again after ``send`` said no.
    on_lost
        Called in the loop with the reason when the connection is lost.

    Raises
    ------
    ConfigurationError
        The endpoint is no endpoint, or the keys are no keys.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        curve: CurveClient | None,
        on_message: Callable[[list[zmq.Frame]], None],
        on_writable: Callable[[], None],
        on_lost: Callable[[str], None],
    ) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        context.set(zmq.MAX_SOCKETS, _SOCKETS)
        socket = context.socket(zmq.DEALER)
        socket.set(zmq.RECONNECT_IVL, -1)
        notice_dead_peers(socket)
        socket.set(zmq.SNDHWM, _QUEUED)
        socket.set(zmq.RCVHWM, _QUEUED)
        socket.set(zmq.IPV6, int("[" in endpoint))
        self._endpoint = endpoint
        self._on_lost = on_lost
        self._connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lost = False
        self._monitor = LoopSocket(socket.get_monitor_socket(), self._event)
        self._socket = LoopSocket(socket, on_message, on_writable)
        try:
            if curve is not None:
                socket.curve_serverkey = curve.server.encode()
                socket.curve_publickey = curve.keys.public.encode()
                socket.curve_secretkey = curve.keys.secret.encode()
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise ConfigurationError(f"{endpoint!r} cannot be connected to: {error.strerror}") from None

    async def connected(self, seconds: float) -> None:
        """Wait until both sides have shaken hands.

        Raises
        ------
        ConnectionLost
            They did not within ``seconds``; the text says why, as far as it can be known.
        """
        try:
            await asyncio.wait_for(asyncio.shield(self._connected), seconds)
        except TimeoutError:
            raise ConnectionLost(f"{self._endpoint}: no answer within {seconds:g} s") from None

    def send(self, frames: Sequence[Buffer]) -> bool:
        """Send without waiting; False if there is no room."""
        return self._socket.is_open and self._socket.send(frames)

    def close(self) -> None:
        """Let what was sent go out, and close."""
        if self._socket.is_open:
            self._socket.socket.disable_monitor()
            self._monitor.close(0)
            self._socket.close(_LINGER_MS)
        if not self._connected.done():
            self._connected.cancel()

    def _event(self, frames: list[zmq.Frame]) -> None:
        event = zmq.Event(parse_monitor_message([frame.bytes for frame in frames])["event"])
        if event is zmq.Event.HANDSHAKE_SUCCEEDED and not self._connected.done():
            self._connected.set_result(None)
        elif event in _REFUSED and not self._lost:
            self._lost = True
            reason = f"{self._endpoint}: {_REFUSED[event]}"
            if self._connected.done():
                self._on_lost(reason)
            else:
                self._connected.set_exception(ConnectionLost(reason))
                self._connected.exception()  # asked for by ``connected``, if anyone still waits there
