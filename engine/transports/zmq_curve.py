"""Who may listen where, and who may connect: CURVE on the engine's socket."""

from __future__ import annotations

import zmq
from zmq.auth.asyncio import AsyncioAuthenticator

from ..curve_keys import CurveServer, allowed_clients
from ..errors import ConfigurationError
from ..logs import get_logger

_LOOPBACK = ("tcp://127.", "tcp://localhost:", "tcp://[::1]:", "ipc://", "inproc://")


def check_exposure(endpoint: str, curve: CurveServer | None, *, insecure: bool) -> None:
    """Refuse to listen beyond this machine without keys.

    Raises
    ------
    ConfigurationError
        The endpoint is not on loopback, and there are neither keys nor leave to do without.
    """
    if curve is None and not insecure and not endpoint.startswith(_LOOPBACK):
        raise ConfigurationError(
            f"{endpoint} can be reached from beyond this machine, and there are no CURVE keys: anyone could send scans "
            "and read images. Make keys with `echotrain keys`, listen on 127.0.0.1, or say insecure if the network "
            "itself is trusted"
        )


class _Allowed:
    """Says for every connecting client whether its key is one of the allowed ones; pyzmq asks it."""

    def __init__(self, curve: CurveServer) -> None:
        self._curve = curve
        self._log = get_logger()

    def callback(self, domain: str, key: bytes) -> bool:
        """Say whether a client's public key (Z85) is allowed now."""
        try:
            names = {public: name for name, public in allowed_clients(self._curve.clients).items()}
        except ConfigurationError as error:
            self._log.error("client refused: keys cannot be read", error=str(error))
            return False
        name = names.get(key.decode("ascii", "replace"))
        self._log.info("client connects" if name else "client refused: key not allowed", client=name or key.decode())
        return name is not None


def protect(socket: zmq.Socket[bytes], curve: CurveServer) -> AsyncioAuthenticator:
    """Let only clients with an allowed key connect to a socket that is not bound yet.

    Returns
    -------
    AsyncioAuthenticator
        Started, in the socket's context; to be stopped before the context ends.
    """
    authenticator = AsyncioAuthenticator(socket.context)
    authenticator.start()
    authenticator.configure_curve_callback("echotrain", credentials_provider=_Allowed(curve))
    socket.zap_domain = b"echotrain"
    socket.curve_publickey = curve.keys.public.encode()
    socket.curve_secretkey = curve.keys.secret.encode()
    socket.curve_server = True
    return authenticator
