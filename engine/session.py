"""One session with a client, without I/O: messages in, orders out.

The session knows what may come when, and what follows; it opens no socket, starts no thread and builds no chain. Its
driver (``runner``) carries out the orders. States and what moves between them stand in ``TRANSITIONS``; what is not
there is an error that ends the session.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from .errors import EchotrainError, ProtocolError, WrongOrder
from .messages import (
    Array,
    Close,
    ConfigName,
    ConfigText,
    Fault,
    Header,
    Image,
    Message,
    Parameters,
    Query,
    Readouts,
    Text,
    Waveform,
)


class State(Enum):
    """Where a session stands."""

    AWAITING_CONFIG = "awaiting configuration"
    AWAITING_HEADER = "awaiting header"
    STREAMING = "streaming"
    DRAINING = "draining"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Build:
    """Order: build and start the chain."""

    config: ConfigName | ConfigText
    header: Header
    parameters: Parameters | None


@dataclass(frozen=True, slots=True)
class Feed:
    """Order: feed this message to the chain."""

    message: Message


@dataclass(frozen=True, slots=True)
class Finish:
    """Order: finish the chain, deliver what it gives, then call ``drained``."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Order: answer a query of the client."""

    query: Query


@dataclass(frozen=True, slots=True)
class Note:
    """Order: log a text of the client."""

    text: str


@dataclass(frozen=True, slots=True)
class Send:
    """Order: send this message to the client."""

    message: Message


Order = Build | Feed | Finish | Answer | Note | Send

S = State
TRANSITIONS: Mapping[tuple[State, type[Message]], State] = MappingProxyType(
    {
        (S.AWAITING_CONFIG, Query): S.AWAITING_CONFIG,
        (S.AWAITING_CONFIG, ConfigName): S.AWAITING_HEADER,
        (S.AWAITING_CONFIG, ConfigText): S.AWAITING_HEADER,
        (S.AWAITING_CONFIG, Close): S.CLOSED,
        (S.AWAITING_HEADER, Query): S.AWAITING_HEADER,
        (S.AWAITING_HEADER, Text): S.AWAITING_HEADER,
        (S.AWAITING_HEADER, Header): S.STREAMING,
        (S.AWAITING_HEADER, Close): S.CLOSED,  # a liveness probe
        (S.STREAMING, Parameters): S.STREAMING,
        (S.STREAMING, Query): S.STREAMING,
        (S.STREAMING, Text): S.STREAMING,
        (S.STREAMING, Readouts): S.STREAMING,
        (S.STREAMING, Waveform): S.STREAMING,
        (S.STREAMING, Image): S.STREAMING,
        (S.STREAMING, Array): S.STREAMING,
        (S.STREAMING, Close): S.DRAINING,
    }
)


class Session:
    """The server's side of one session.

    ``state`` is where it stands; ``messages`` counts what was received (the first message is number 1).
    """

    def __init__(self) -> None:
        self.state = State.AWAITING_CONFIG
        self.messages = 0
        self._config: ConfigName | ConfigText | None = None
        self._header: Header | None = None
        self._parameters: Parameters | None = None
        self._built = False

    def receive(self, message: Message) -> list[Order]:
        """Take a message of the client and return what is to be done, in order.

        Raises
        ------
        WrongOrder
            The message may not come in this state; the text names what may. The driver then calls ``fail``.
        ProtocolError
            Parameters after the header are not what they should be.
        """
        self.messages += 1
        target = TRANSITIONS.get((self.state, type(message)))
        if target is None:
            allowed = ", ".join(kind.__name__ for state, kind in TRANSITIONS if state is self.state) or "nothing"
            raise WrongOrder(
                f"message {self.messages} is {type(message).__name__} while {self.state.value}; expected {allowed}"
            )
        self.state = target
        match message:
            case ConfigName() | ConfigText():
                self._config = message
                return []
            case Header():
                self._header = message
                return []
            case Query():
                return [Answer(message)]
            case Text() if target is State.STREAMING and not self._built:
                parameters = parse_parameters(message.text)
                return [Note(message.text)] if parameters is None else self._with(parameters)
            case Text():
                return [Note(message.text)]
            case Parameters():
                return self._with(message)
            case Close() if target is State.CLOSED:
                return [Send(Close())]
            case Close():
                return [*self.begin(), Finish()]
            case _:
                return [*self.begin(), Feed(message)]

    def begin(self) -> list[Order]:
        """Say that no parameters will follow the header, so that the chain is built before the first readout.

        A transport whose handshake holds everything calls it; otherwise the first data do.
        """
        if self._built or self._config is None or self._header is None:
            return []
        self._built = True
        return [Build(self._config, self._header, self._parameters)]

    def _with(self, parameters: Parameters) -> list[Order]:
        if self._built:
            raise WrongOrder("parameters came after data; they may only follow the header")
        self._parameters = parameters
        return self.begin()

    def drained(self) -> list[Order]:
        """Say that the chain has given everything: the session closes."""
        if self.state is State.CLOSED:
            return []
        self.state = State.CLOSED
        return [Send(Close())]

    def fail(self, error: BaseException) -> list[Order]:
        """End the session with an error that the client learns: code, gadget, message number, text."""
        if self.state is State.CLOSED:
            return []
        self.state = State.CLOSED
        return [Send(fault(error, self.messages)), Send(Close())]


def fault(error: BaseException, message_number: int | None = None) -> Fault:
    """Return an error as it travels; what is not ours is reported by type, without internals."""
    if isinstance(error, EchotrainError):
        return Fault(error.code, str(error), error.gadget, message_number)
    return Fault("internal", f"{type(error).__name__}: {error}", None, message_number)


def parse_parameters(text: str) -> Parameters | None:
    """Read the JSON that FIRE and OpenRecon clients send after the header; None if the text is no such JSON.

    ``{"parameters": {"config": NAME, "customconfig": NAME, "GADGET.FIELD": VALUE, ...}}``: ``customconfig`` wins over
    ``config`` unless it is empty; keys without a dot that are no chain names are the sender's own and are ignored.

    Raises
    ------
    ProtocolError
        ``parameters`` is there but is no table, or names a chain by something that is no text.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or "parameters" not in data:
        return None
    given = data["parameters"]
    if not isinstance(given, dict):
        raise ProtocolError(
            f"the JSON after the header has parameters of type {type(given).__name__}, expected a table"
        )
    names = [given.get(key) for key in ("customconfig", "config")]
    if any(name is not None and not isinstance(name, str) for name in names):
        raise ProtocolError(f"config and customconfig are {names[1]!r} and {names[0]!r}, expected texts")
    overrides = {key: value for key, value in given.items() if "." in key}
    return Parameters(names[0] or names[1] or None, MappingProxyType(overrides))
