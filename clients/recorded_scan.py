"""A recording as a scan: what the client configured, its header, and the data up to the last whole message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..engine.errors import RecordingError
from ..engine.messages import ConfigName, ConfigText, Header, Message
from ..engine.recordings import Recording, read_messages
from .scan_file import Scan


def recorded_scan(recording: Recording) -> Scan:
    """Return a recording as a scan; its data are read when they are asked for.

    Raises
    ------
    RecordingError
        It ends before its header.
    """
    config: ConfigName | ConfigText | None = None
    for message in read_messages(recording.path):
        if isinstance(message, ConfigName | ConfigText):
            config = message
        elif isinstance(message, Header):
            return Scan(source=recording.name, header=message, config=config, messages=_Data(recording))
    raise RecordingError(f"recording {recording.name} ends before its header")


@dataclass(frozen=True, slots=True)
class _Data:
    """What follows the header, read anew each time."""

    recording: Recording

    def __iter__(self) -> Iterator[Message]:
        messages = read_messages(self.recording.path)
        for message in messages:
            if isinstance(message, Header):
                break
        yield from messages
