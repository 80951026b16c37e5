"""Writing what a session receives to disk, before anything else is done with it.

A recording is two files: ``NAME.mrd`` holds the MRD stream bytes (configuration, header, data, CLOSE), readable by any
MRD tool; ``NAME.json`` says when, from whom, which chain, and how it ended. The stream is written unbuffered, so that
a killed engine loses nothing that it had written; ``sync_seconds`` bounds what a power failure can take.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .errors import RecordingError
from .messages import Header
from .mrd_encode import encode_bytes
from .peer import Frame


class Recorder:
    """Appends one session to its recording.

    Files appear with the scan's header: a session that never sends one (a liveness probe) leaves no trace.

    Parameters
    ----------
    folder
        Where recordings live; made if it is not there.
    session
        Session id; part of the name.
    origin
        What the sidecar says of the session (transport, remote, version).
    sync_seconds
        Longest time for which written bytes stay unsynced; 0 leaves that to the operating system.
    """

    def __init__(self, folder: Path, session: str, origin: dict[str, Any], *, sync_seconds: float = 5.0) -> None:
        self._started = datetime.now(UTC)
        self.name = f"{self._started:%Y%m%dT%H%M%S}_{session}"
        self.path = folder / f"{self.name}.mrd"
        self._sidecar = folder / f"{self.name}.json"
        self._about: dict[str, Any] = {"session": session, "started": self._started.isoformat(), **origin}
        self._sync_seconds = sync_seconds
        self._synced_at = time.monotonic()
        self._early: list[bytes | memoryview] = []
        self._file: int | None = None
        self._closed = False
        self.size = 0

    @property
    def is_open(self) -> bool:
        """Whether bytes are being written."""
        return self._file is not None

    def append(self, frame: Frame) -> tuple[int, int]:
        """Write a frame.

        Returns
        -------
        tuple
            (offset, bytes) of it in the stream file.

        Raises
        ------
        RecordingError
            The disk does not take it.
        """
        raw = frame.raw if frame.raw is not None else encode_bytes(frame.message)
        offset = self.size
        self.size += len(raw)
        if self._closed:
            raise RecordingError(f"recording {self.name} is closed")
        try:
            if self._file is None:
                self._early.append(raw)
                if isinstance(frame.message, Header):
                    self._open()
            else:
                self._write(raw)
                self._sync_if_due()
        except OSError as error:
            raise RecordingError(f"recording {self.path} cannot be written: {error}") from error
        return offset, len(raw)

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        for raw in self._early:
            self._write(raw)
        self._early.clear()
        self._write_sidecar({"outcome": "open"})

    def _write(self, raw: bytes | memoryview) -> None:
        assert self._file is not None
        view = memoryview(raw).cast("B")
        while view:
            view = view[os.write(self._file, view) :]

    def _sync_if_due(self) -> None:
        now = time.monotonic()
        if self._file is not None and self._sync_seconds and now - self._synced_at >= self._sync_seconds:
            os.fdatasync(self._file)
            self._synced_at = now

    def describe(self, **about: Any) -> None:
        """Add to what the sidecar says (chain, hash ...)."""
        self._about.update(about)
        if self.is_open:
            self._write_sidecar({"outcome": "open"})

    def close(self, outcome: str, **about: Any) -> None:
        """End the recording and say how the session ended. Doing it twice is harmless."""
        self._closed = True
        self._about.update(about)
        self._early.clear()
        if self._file is None:
            return
        descriptor, self._file = self._file, None
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        self._write_sidecar({"outcome": outcome, "ended": datetime.now(UTC).isoformat()})

    def _write_sidecar(self, more: dict[str, Any]) -> None:
        text = json.dumps({**self._about, "bytes": self.size, **more}, indent=2)
        temporary = self._sidecar.with_suffix(".json.part")
        with open(temporary, "w", encoding="utf-8", opener=_private) as file:
            file.write(text + "\n")
        temporary.replace(self._sidecar)


def _private(path: str, flags: int) -> int:
    """Open as the stream file is: what was received is not for everybody."""
    return os.open(path, flags, 0o640)
