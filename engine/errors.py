"""Every error that echotrain raises, in one hierarchy.

``code`` is what travels to a client; it never changes once released. The text says what was got, what was expected and
what to do. Errors of the peer (it broke the protocol, it sent data that contradict its header) stand apart from errors
of the operator (a chain that cannot be built, a setting that cannot be used) and from failures of ours.

::

    EchotrainError
    ├── PeerError                 the other side did something it may not
    │   ├── ProtocolError         unknown_message, malformed
    │   │   ├── WrongOrder        wrong_order
    │   │   ├── Truncated         truncated
    │   │   ├── LimitExceeded     limit_exceeded
    │   │   └── VersionMismatch   version_mismatch
    │   ├── HeaderError           bad_header
    │   ├── DataError             bad_data
    │   └── SessionTimeout        timeout
    ├── ConfigurationError        bad_configuration
    │   └── ChainError            bad_chain
    ├── GadgetError               gadget_failed
    │   └── GadgetHung            gadget_hung
    ├── Refused                   refused (too many sessions, the engine is draining)
    ├── Cancelled                 cancelled
    ├── RecordingError            recording
    └── RemoteError               whatever code the engine sent (raised at the client)
        └── ConnectionLost        connection_lost
"""

from __future__ import annotations

from typing import ClassVar


class EchotrainError(Exception):
    """Base of all errors raised on purpose; ``str()`` of it is meant for the person at the other end."""

    code: ClassVar[str] = "internal"

    gadget: str | None = None
    """The gadget that raised it, where one did; the chain fills it in."""


class PeerError(EchotrainError):
    """The other side did something that it may not; only its own session ends."""

    code = "peer"


class ProtocolError(PeerError):
    """Bytes or envelopes that the protocol does not allow."""

    code = "malformed"


class UnknownMessage(ProtocolError):
    """A message id or type that is not in the protocol: without an outer length it cannot be skipped."""

    code = "unknown_message"


class WrongOrder(ProtocolError):
    """A message that is allowed, but not now."""

    code = "wrong_order"


class Truncated(ProtocolError):
    """The stream ended inside a message, or without CLOSE."""

    code = "truncated"


class LimitExceeded(ProtocolError):
    """A size beyond what the settings allow; raised before anything of that size is allocated."""

    code = "limit_exceeded"


class VersionMismatch(ProtocolError):
    """The peer speaks none of our protocol versions."""

    code = "version_mismatch"


class HeaderError(PeerError):
    """An MRD XML header that cannot be read, or that asks for more than the limits allow."""

    code = "bad_header"


class DataError(PeerError):
    """Readouts that contradict their header or one another."""

    code = "bad_data"


class SessionTimeout(PeerError):
    """A peer that sent nothing, read nothing, or trickled for longer than the settings allow."""

    code = "timeout"


class ConfigurationError(EchotrainError):
    """A setting or a file of the operator that cannot be used."""

    code = "bad_configuration"


class ChainError(ConfigurationError):
    """A chain that cannot be built: unknown name, unknown property, wrong type, neighbours that do not fit."""

    code = "bad_chain"


class GadgetError(EchotrainError):
    """A gadget raised.

    Attributes
    ----------
    gadget
        The gadget's name as in the chain.
    """

    code = "gadget_failed"

    def __init__(self, text: str, *, gadget: str | None = None) -> None:
        super().__init__(text)
        self.gadget = gadget


class GadgetHung(GadgetError):
    """A gadget did not return within the time that the settings allow."""

    code = "gadget_hung"


class Refused(EchotrainError):
    """The engine takes no session now."""

    code = "refused"


class Cancelled(EchotrainError):
    """The session was cancelled by its client or by an operator."""

    code = "cancelled"


class RecordingError(EchotrainError):
    """A recording that cannot be written or read."""

    code = "recording"


class RemoteError(EchotrainError):
    """An error that the engine reported, as the client sees it.

    Attributes
    ----------
    remote_code
        The ``code`` of the error at the engine.
    gadget
        The gadget that failed, where one did.
    message_number
        Number of the message that caused it (the session's first message is 1), where known.
    """

    def __init__(
        self, text: str, *, code: str = "internal", gadget: str | None = None, message_number: int | None = None
    ) -> None:
        super().__init__(text)
        self.remote_code = code
        self.gadget = gadget
        self.message_number = message_number


class ConnectionLost(RemoteError):
    """The connection to the engine ended before the session did."""

    code = "connection_lost"

    def __init__(self, text: str) -> None:
        super().__init__(text, code="connection_lost")
