"""The msgpack envelope in frame 0 of every ZeroMQ message: packing, and reading it without trusting it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import msgpack  # type: ignore[import-untyped]

from .errors import LimitExceeded, ProtocolError
from .limits import Limits

VERSION = 1
"""Version of the protocol that this code speaks."""
VERSIONS: tuple[int, ...] = (1,)
"""All versions that this code speaks."""

Buffer: TypeAlias = bytes | memoryview
"""A frame as it is sent or was received."""

_T = TypeVar("_T")
_UINT64 = 2**64 - 1
_MAX_ENTRIES = 4096  # of one map or list: metadata of an image is the largest that is meant
_MAX_DEPTH = 8  # of a parameter's value
_ENVELOPE_SLACK = 64 * 1024  # what an envelope may hold beside one text


def pack(fields: Mapping[str, Any]) -> bytes:
    """Return an envelope; texts that are no Unicode (undecodable file names) are escaped, not lost."""
    return msgpack.packb(fields, unicode_errors="backslashreplace")  # type: ignore[no-any-return]


def envelope_limit(limits: Limits) -> int:
    """Bytes that an envelope may have: one text at its limit, and room for the rest."""
    return limits.text_bytes + _ENVELOPE_SLACK


class Fields:
    """The fields of one received envelope.

    Every getter checks the type and removes the field; ``done`` refuses what nobody asked for.

    Parameters
    ----------
    envelope
        Frame 0 as received.
    limits
        What it is held against.

    Raises
    ------
    LimitExceeded
        It is longer than an envelope may be.
    ProtocolError
        It is no msgpack map with text keys.
    """

    def __init__(self, envelope: Buffer, limits: Limits) -> None:
        most = envelope_limit(limits)
        if len(envelope) > most:
            raise LimitExceeded(f"the envelope has {len(envelope)} bytes, at most {most} are allowed")
        try:
            found = msgpack.unpackb(
                envelope,
                raw=False,
                strict_map_key=True,
                max_str_len=limits.text_bytes,
                max_bin_len=0,
                max_ext_len=0,
                max_array_len=_MAX_ENTRIES,
                max_map_len=_MAX_ENTRIES,
            )
        except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
            raise ProtocolError(f"frame 0 is no envelope (a msgpack map) that can be read: {error}") from None
        if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
            raise ProtocolError(f"frame 0 holds a {type(found).__name__}, expected a msgpack map with text keys")
        self._left: dict[str, Any] = found
        self.kind: str = self.text("type")

    def _take(self, name: str, expected: str) -> Any:
        try:
            return self._left.pop(name)
        except KeyError:
            raise ProtocolError(f"the {self._what} envelope lacks {name!r} ({expected})") from None

    @property
    def _what(self) -> str:
        return getattr(self, "kind", "")[:40]

    def has(self, name: str) -> bool:
        """Whether the field is there and not nil; a nil is taken away."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return False
        return True

    def text(self, name: str) -> str:
        """Take a text."""
        value = self._take(name, "a text")
        return self._checked(name, value, str, "a text")

    def texts(self, name: str) -> list[str]:
        """Take a list of texts."""
        value = self.list(name)
        return [self._checked(name, item, str, "texts only") for item in value]

    def number(self, name: str) -> float:
        """Take a finite number that is not negative."""
        value = self._take(name, "a number")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _UINT64:
            raise ProtocolError(f"{name!r} of the {self._what} envelope is {_short(value)}, expected a number from 0")
        return float(value)

    def integer(self, name: str) -> int:
        """Take an unsigned integer."""
        value = self._take(name, "an unsigned integer")
        return self._unsigned(name, value)

    def boolean(self, name: str) -> bool:
        """Take true or false."""
        value = self._take(name, "true or false")
        return self._checked(name, value, bool, "true or false")

    def integers(self, name: str) -> list[int]:
        """Take a list of unsigned integers."""
        return [self._unsigned(name, item) for item in self.list(name)]

    def list(self, name: str) -> list[Any]:
        """Take a list of anything."""
        value = self._take(name, "a list")
        return self._checked(name, value, list, "a list")

    def table(self, name: str) -> dict[str, Any]:
        """Take a map whose keys are texts and whose values are plain data, not too deep."""
        value = self._checked(name, self._take(name, "a map"), dict, "a map")
        check_plain(value, name)
        return value

    def done(self) -> None:
        """Refuse fields that were not taken.

        Raises
        ------
        ProtocolError
            There are some: a newer version's, or a misspelt one; both would be lost in silence.
        """
        if self._left:
            names = ", ".join(repr(name[:40]) for name in list(self._left)[:5])
            raise ProtocolError(f"the {self._what} envelope has fields that version {VERSION} does not know: {names}")

    def _unsigned(self, name: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _UINT64:
            raise ProtocolError(
                f"{name!r} of the {self._what} envelope is {_short(value)}, expected an unsigned integer of 64 bits"
            )
        return value

    def _checked(self, name: str, value: object, kind: type[_T], expected: str) -> _T:
        if not isinstance(value, kind):
            raise ProtocolError(f"{name!r} of the {self._what} envelope is {_short(value)}, expected {expected}")
        return value


def check_plain(value: object, name: str, depth: int = 0) -> None:
    """Refuse what is no plain data: only nil, booleans, numbers, texts, and lists and maps of these.

    Raises
    ------
    ProtocolError
        It holds something else, or is nested too deep.
    """
    if depth > _MAX_DEPTH:
        raise ProtocolError(f"{name!r} is nested deeper than {_MAX_DEPTH} levels")
    match value:
        case None | bool() | int() | float() | str():
            return
        case list():
            for item in value:
                check_plain(item, name, depth + 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise ProtocolError(f"{name!r} has a key {_short(key)}, expected texts")
                check_plain(item, name, depth + 1)
        case _:
            raise ProtocolError(f"{name!r} holds {_short(value)}, expected plain data")


def _short(value: object) -> str:
    return f"{type(value).__name__} {value!r}"[:80]
