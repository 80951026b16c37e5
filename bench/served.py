"""An engine in a process of its own, as ``echotrain serve`` starts it, and what the system knows of that process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Self

COMMAND = str(Path(sys.executable).with_name("echotrain"))
MIB = 2**20
_READY_SECONDS = 60


class Served:
    """A served engine on free ports; a context manager.

    Parameters
    ----------
    flags
        More flags for ``echotrain serve``.
    command
        What to start instead of ``echotrain serve``; it must log as that does.
    """

    def __init__(self, *flags: str, command: tuple[str, ...] = (COMMAND, "serve")) -> None:
        began = time.perf_counter()
        addresses = ("--mrd", "tcp://127.0.0.1:0", "--zmq", "tcp://127.0.0.1:0", "--log", "json")
        self._process = subprocess.Popen(
            [*command, *addresses, *flags], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lines: deque[str] = deque(maxlen=200)
        self._ready = threading.Event()
        self._said: dict[str, Any] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(_READY_SECONDS) or not self._said:
            self.close()
            raise RuntimeError("the engine did not get ready:\n" + "".join(self._lines))
        self.seconds_to_ready = self._ready_at - began

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if not self._ready.is_set() and '"ready"' in line:
                self._ready_at = time.perf_counter()
                self._said = json.loads(line)
                self._ready.set()
            self._lines.append(line)
        self._ready.set()

    @property
    def zmq(self) -> str:
        """ZeroMQ endpoint."""
        return str(self._said["zmq"])

    @property
    def mrd(self) -> tuple[str, int]:
        """Host and port for MRD over TCP."""
        host, _, port = self._said["mrd"].removeprefix("tcp://").rpartition(":")
        return host, int(port)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """Last lines of the log."""
        return "".join(self._lines)

    def memory(self, field: str) -> float:
        """Return ``VmRSS`` (resident now) or ``VmHWM`` (its peak) in MiB."""
        return memory(self.pid, field)

    def has_loaded(self, library: str) -> bool:
        """Say whether a shared library with this name is in the process."""
        return library in Path(f"/proc/{self.pid}/maps").read_text(encoding="utf-8")

    def close(self) -> str:
        """Stop it, and return what it wrote to standard output."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        with self._process.stdout, self._process.stderr:
            return self._process.stdout.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def memory(pid: int, field: str) -> float:
    """Return ``VmRSS`` (resident now) or ``VmHWM`` (its peak) of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the system says no {field} of process {pid}")
