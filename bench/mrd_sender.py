"""A process that sends prepared bytes over TCP as fast as they are taken, and says how long that took.

Started by ``throughput.py`` and ``reconstruction.py``, the same for the engine and for the bare reader: it sends a
start, waits for a moment, then sends the data a number of times and an end, and measures from the data's first byte to
the last byte that comes back.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

CLOSE = b"\x04\x00"
_PIECE = 1024 * 1024


class Sent(NamedTuple):
    """How it went."""

    seconds: float
    count: int
    """Bytes that came back."""
    head: str
    """The first of them, as Latin-1."""


def send(port: int, start: bytes, data: bytes, repeats: int) -> Sent:
    """Send, and wait until the other side closes."""
    last, count, head = 0.0, 0, b""

    def read() -> None:
        nonlocal last, count, head
        while received := connection.recv(_PIECE):
            last = time.perf_counter()
            count += len(received)
            head = head or received[:200]

    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(start)
        time.sleep(0.1)  # whatever the start causes is over
        reader = threading.Thread(target=read)
        reader.start()
        began = time.perf_counter()
        for _ in range(repeats):
            connection.sendall(data)
        connection.sendall(CLOSE)
        reader.join()
    return Sent(last - began, count, head.decode("latin-1"))


def run_sender(port: int, start: Path, data: Path, repeats: int) -> Sent:
    """Send from another process; parameters and result as ``send``, with files that hold the bytes."""
    command = [sys.executable, __file__, str(port), str(start), str(data), str(repeats)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    return Sent(*json.loads(done.stdout))


def main() -> None:
    """Send what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("start", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("repeats", type=int)
    given = parser.parse_args()
    result = send(given.port, given.start.read_bytes(), given.data.read_bytes(), given.repeats)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
