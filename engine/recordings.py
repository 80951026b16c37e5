"""Reading recordings back: a listing, what one holds, and its messages up to the last whole one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import RecordingError
from .limits import Limits
from .messages import Close, Message, Readouts
from .mrd_buffer import ReceiveBuffer
from .mrd_decode import MrdDecoder
from .peer import Frame


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording in a folder."""

    name: str
    path: Path
    """The stream file."""
    about: dict[str, Any]
    """The sidecar's contents: session, transport, chain, outcome ...; ``outcome`` is ``open`` after a crash."""

    @property
    def nbytes(self) -> int:
        """Bytes of the stream on disk now."""
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class Contents:
    """What a look through a recording found."""

    messages: int
    readouts: int
    closed: bool
    """Whether the client's CLOSE is in it."""
    cut_bytes: int
    """Bytes of an unfinished message at its end, as a crash leaves them; they are not used."""


def read_frames(
    path: Path, offset: int = 0, nbytes: int | None = None, limits: Limits | None = None
) -> Iterator[Frame]:
    """Decode a stretch of a recording.

    Parameters
    ----------
    path
        The stream file.
    offset, nbytes
        Where the stretch starts, at a message; its length, or None for everything up to the last whole message.
    limits
        Largest sizes that are accepted.

    Raises
    ------
    RecordingError
        The file cannot be read, or a stretch of given length ends inside a message.
    ProtocolError
        It holds no MRD messages.
    """
    buffer = ReceiveBuffer(MrdDecoder(limits or Limits()))
    left = nbytes
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            while left is None or left > 0:
                room = buffer.room()
                got = file.readinto(room if left is None else room[:left])
                if not got:
                    break
                if left is not None:
                    left -= got
                yield from buffer.received(got)
    except OSError as error:
        raise RecordingError(f"recording {path} cannot be read: {error}") from error
    if left or (nbytes is not None and buffer.decoder.pending):
        raise RecordingError(f"recording {path} ends inside the stretch of {nbytes} bytes at {offset}")


def read_messages(path: Path) -> Iterator[Message]:
    """Yield a recording's messages up to the last whole one, without the client's CLOSE."""
    for frame in read_frames(path):
        if isinstance(frame.message, Close):
            return
        yield frame.message


def look_through(path: Path) -> Contents:
    """Read a recording once and say what is in it."""
    messages = readouts = used = 0
    closed = False
    for frame in read_frames(path):
        messages += 1
        used += 0 if frame.raw is None else len(frame.raw)
        closed = closed or isinstance(frame.message, Close)
        if isinstance(frame.message, Readouts):
            readouts += len(frame.message)
            messages += len(frame.message) - 1
    return Contents(messages, readouts, closed, path.stat().st_size - used)


def list_recordings(folder: Path) -> list[Recording]:
    """Return the recordings of a folder, oldest first.

    Raises
    ------
    RecordingError
        There is no such folder.
    """
    if not folder.is_dir():
        raise RecordingError(f"there is no folder {folder}")
    return [_recording(path) for path in sorted(folder.glob("*.mrd"))]


def find_recording(folder: Path, name: str) -> Recording:
    """Return the recording whose name begins or ends with ``name``, or whose session id begins with it.

    Raises
    ------
    RecordingError
        None or several do; the text lists them.
    """
    known = list_recordings(folder)
    exact = [r for r in known if r.name == name]
    hits = exact or [
        r for r in known if name and (r.name.startswith(name) or r.name.partition("_")[2].startswith(name))
    ]
    if len(hits) != 1:
        names = ", ".join(r.name for r in (hits or known)) or "none"
        problem = "no recording" if not hits else f"{len(hits)} recordings"
        raise RecordingError(f"{problem} in {folder} match {name!r}: {names}")
    return hits[0]


def _recording(path: Path) -> Recording:
    sidecar = path.with_suffix(".json")
    try:
        about = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        about = {"outcome": "unknown (no sidecar)"}
    return Recording(path.stem, path, about)
