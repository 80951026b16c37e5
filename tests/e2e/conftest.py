"""A served engine in a process of its own, and the reference reconstruction to hold its images against."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """The module ``reference`` beside this file: ``read_scan(path)`` and ``reconstruct(path)``, in double precision."""
    name = "echotrain_test_reference"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("reference.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


COMMAND = str(Path(sys.executable).with_name("echotrain"))


class Served:
    """A running ``echotrain serve``."""

    def __init__(self, *flags: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ECHOTRAIN_")}
        self.process = subprocess.Popen(
            [COMMAND, "serve", "--mrd", "tcp://127.0.0.1:0", "--zmq", "tcp://127.0.0.1:0", "--log", "json", *flags],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.log: list[dict] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._ready.wait(20), self.log
        (ready,) = [line for line in self.log if line.get("event") == "ready"]
        self.mrd, self.zmq, self.http = ready["mrd"], ready["zmq"], ready.get("http")

    def _read(self) -> None:
        for line in self.process.stderr:
            self.log.append(json.loads(line) if line.startswith("{") else {"event": line})
            if self.log[-1].get("event") == "ready":
                self._ready.set()

    @property
    def mrd_address(self) -> tuple[str, int]:
        host, port = self.mrd.removeprefix("tcp://").split(":")
        return host, int(port)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join(5)
        self.process.stderr.close()
        return code


@contextmanager
def serve(*flags: str) -> Iterator[Served]:
    """Serve until the block ends."""
    served = Served(*flags)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """An engine with default settings that the tests of a module share."""
    with serve("--http", "127.0.0.1:0") as engine:
        yield engine


@pytest.fixture
def serving():
    """Serve with flags of one's own: ``with serving("--record", folder) as engine``."""
    return serve


@pytest.fixture
def command():
    """Run ``echotrain ARGS`` and return the finished process."""

    def run(*arguments: object, check: bool = True, env=None, **options) -> subprocess.CompletedProcess:
        text, timeout = options.pop("text", True), options.pop("timeout", 60)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ECHOTRAIN_")}
        result = subprocess.run(
            [COMMAND, *map(str, arguments)],
            capture_output=True,
            text=text,
            timeout=timeout,
            check=False,
            env={**clean, **(env or {})},
            **options,
        )
        assert not check or result.returncode == 0, result.stderr
        return result

    run.program = COMMAND
    return run
