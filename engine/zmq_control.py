"""What opens, steers and asks about a session over ZeroMQ: everything that is not numbered. Pure, without sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from types import MappingProxyType
from typing import Any

from .errors import LimitExceeded, ProtocolError, UnknownMessage, VersionMismatch
from .limits import Limits
from .messages import ConfigName, ConfigText, Header, Parameters
from .zmq_codec import STREAM_TYPES, Numbered, decode_numbered
from .zmq_envelope import VERSION, VERSIONS, Buffer, Fields, check_plain, pack


@dataclass(frozen=True, slots=True)
class Open:
    """Client: start a session."""

    config: ConfigName | ConfigText
    header: Header
    parameters: Parameters | None = None
    client: str = ""
    """Name and version of the client's software, for the engine's log."""
    versions: tuple[int, ...] = VERSIONS
    resumable: bool = True
    """Whether the client may come back after a lost connection; if not, its session ends with the connection."""
    credit: int = 0
    """Bytes that the engine may send before the client grants more."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Engine: the session is open."""

    session: str
    """Secret that names the session in every message after this one."""
    id: str
    """The session's name in the engine's log and recordings."""
    version: int
    credit: int
    """Bytes that the client may send before the engine grants more."""
    heartbeat: float
    """Seconds: each side sends at least so often, and takes the other for lost after three times as long."""
    resume_seconds: float
    limits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    engine: str = ""
    """Name and version of the engine."""


@dataclass(frozen=True, slots=True)
class RefusedOpen:
    """Engine: no session (after ``open``), or no such session (after anything else)."""

    code: str
    text: str
    versions: tuple[int, ...] = VERSIONS


@dataclass(frozen=True, slots=True)
class Ack:
    """Either side: what has been received, and how much may be sent; also the heartbeat."""

    session: str
    ack: int
    """Number of the last message received; 0 for none."""
    credit: int
    """Bytes that the other side may send in all, counted from the session's start."""
    ended: bool = False
    """Engine: it takes no more data; why is among the numbered messages, which may have to wait for credit."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Client: the session goes on over this connection."""

    session: str
    ack: int
    credit: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """Engine: it does."""

    session: str
    ack: int
    credit: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Client: end the session now, without finishing."""

    session: str
    text: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Client: it has all it wants and will not come back; the engine forgets the session."""

    session: str


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """Anyone: how is the engine? Needs no session."""


@dataclass(frozen=True, slots=True)
class Status:
    """Engine: so."""

    status: Mapping[str, Any]


Control = Open | Opened | RefusedOpen | Ack | Resume | Resumed | Cancel | Leave | StatusRequest | Status


_KINDS: Mapping[type, str] = MappingProxyType(
    {
        Opened: "opened",
        RefusedOpen: "refused",
        Ack: "ack",
        Resume: "resume",
        Resumed: "resumed",
        Cancel: "cancel",
        Leave: "leave",
        StatusRequest: "status",
        Status: "status",
    }
)


def encode_control(control: Control) -> list[Buffer]:
    """Return the frames of a control message."""
    if isinstance(control, Open):
        return [_open(control), control.header.xml]
    values = {entry.name: getattr(control, entry.name) for entry in fields_of(control)}
    plain = {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}
    return [pack({"v": VERSION, "type": _KINDS[type(control)], **plain})]


def _open(message: Open) -> bytes:
    fields: dict[str, Any] = {
        "v": VERSION,
        "type": "open",
        "versions": list(message.versions),
        "client": message.client,
        "resumable": message.resumable,
        "credit": message.credit,
    }
    if isinstance(message.config, ConfigName):
        fields["config_name"] = message.config.name
    else:
        fields["config_text"] = message.config.text
    if message.parameters is not None:
        fields["parameters"] = {
            "config": message.parameters.config,
            "overrides": dict(message.parameters.overrides),
        }
    return pack(fields)


def decode(frames: Sequence[Buffer], limits: Limits) -> Control | Numbered:
    """Read any message of the protocol.

    Parameters
    ----------
    frames
        All frames as received, the routing id not among them.
    limits
        What it is held against before anything of its size is made.

    Raises
    ------
    VersionMismatch
        It is in a version that is not spoken here.
    UnknownMessage
        Its type is not in the protocol.
    LimitExceeded
        It is larger than the limits allow.
    ProtocolError
        Anything else in it is not as the protocol has it.
    """
    if not frames:
        raise ProtocolError("an empty message, expected an envelope in frame 0")
    fields = Fields(frames[0], limits)
    version = fields.integer("v")
    if fields.kind == "open":
        return _decode_open(fields, frames[1:], limits)
    if fields.kind == "refused":  # says which versions the other side speaks, so it is read in any version
        return _only(RefusedOpen(fields.text("code"), fields.text("text"), tuple(fields.integers("versions"))), frames)
    if version not in VERSIONS:
        raise VersionMismatch(f"a message in version {version} of the protocol, this side speaks {_spoken()}")
    if fields.kind in STREAM_TYPES:
        return decode_numbered(fields, frames[1:], limits)
    control = _decode_control(fields)
    fields.done()
    return _only(control, frames)


def _only(control: Control, frames: Sequence[Buffer]) -> Control:
    if len(frames) != 1:
        raise ProtocolError(f"{len(frames) - 1} frames follow an envelope that needs none")
    return control


def _spoken() -> str:
    return ", ".join(map(str, VERSIONS))


def _decode_open(fields: Fields, frames: Sequence[Buffer], limits: Limits) -> Open:
    versions = tuple(fields.integers("versions"))
    if not set(versions) & set(VERSIONS):
        offered = ", ".join(map(str, versions[:20])) or "none"
        raise VersionMismatch(f"the client speaks versions {offered} of the protocol, this engine speaks {_spoken()}")
    if len(frames) != 1:
        raise ProtocolError(f"open came with {len(frames)} frames after the envelope, expected 1: the MRD header's XML")
    if len(frames[0]) > limits.header_bytes:
        raise LimitExceeded(f"the header has {len(frames[0])} bytes, at most {limits.header_bytes} are allowed")
    if fields.has("config_name") == fields.has("config_text"):
        raise ProtocolError("open needs one of config_name (of an installed chain) and config_text (a chain's TOML)")
    config: ConfigName | ConfigText
    if fields.has("config_name"):
        config = ConfigName(fields.text("config_name"))
    else:
        config = ConfigText(fields.text("config_text"))
    # what else a client of a newer version says is not refused, so that it can be answered in this one
    return Open(
        config=config,
        header=Header(bytes(frames[0])),
        parameters=_parameters(fields.table("parameters")) if fields.has("parameters") else None,
        client=fields.text("client"),
        versions=versions,
        resumable=fields.boolean("resumable"),
        credit=fields.integer("credit"),
    )


def _parameters(table: dict[str, Any]) -> Parameters:
    config, overrides = table.pop("config", None), table.pop("overrides", None) or {}
    if table or not isinstance(overrides, dict) or not isinstance(config, str | None):
        raise ProtocolError("parameters of open are config (a chain's name or nil) and overrides (a map), nothing else")
    check_plain(overrides, "overrides")
    return Parameters(config or None, MappingProxyType(overrides))


def _decode_control(fields: Fields) -> Control:
    match fields.kind:
        case "ack":
            session, ack, credit = fields.text("session"), fields.integer("ack"), fields.integer("credit")
            return Ack(session, ack, credit, fields.boolean("ended"))
        case "resume":
            return Resume(fields.text("session"), fields.integer("ack"), fields.integer("credit"))
        case "resumed":
            return Resumed(fields.text("session"), fields.integer("ack"), fields.integer("credit"))
        case "cancel":
            return Cancel(fields.text("session"), fields.text("text"))
        case "leave":
            return Leave(fields.text("session"))
        case "status":
            return Status(MappingProxyType(fields.table("status"))) if fields.has("status") else StatusRequest()
        case "opened":
            return Opened(
                session=fields.text("session"),
                id=fields.text("id"),
                version=fields.integer("version"),
                credit=fields.integer("credit"),
                heartbeat=fields.number("heartbeat"),
                resume_seconds=fields.number("resume_seconds"),
                limits=MappingProxyType({n: v for n, v in fields.table("limits").items() if isinstance(v, int)}),
                engine=fields.text("engine"),
            )
        case _:
            raise UnknownMessage(f"message type {fields.kind[:40]!r} is not in the protocol")
