"""``echotrain serve`` with stamps: when a slice's last readout had been read, and when its image was with the system.

Takes the flags of ``echotrain serve`` and prints the seconds between the two, one number an image, as JSON when it
stops. Nothing else about the engine is changed.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from scans import LINES

from echotrain.clients.cli import main
from echotrain.engine.messages import Readouts
from echotrain.engine.mrd_encode import Buffers
from echotrain.engine.mrd_layout import NOT_IMAGING
from echotrain.engine.peer import Frame
from echotrain.engine.runner import Runner
from echotrain.engine.transports.mrd_peer import MrdPeer
from echotrain.engine.transports.outbox import Outbox

SMALLEST_IMAGE = 4 * LINES**2
"""Bytes of pixels: shorter messages to the client are texts."""


class Stamps:
    """Times of slices and images."""

    def __init__(self) -> None:
        self._read_at = 0.0
        self._lines = 0
        self._complete: list[float] = []
        self.seconds: list[float] = []

    def read(self) -> None:
        """Say that the socket has given bytes."""
        self._read_at = time.perf_counter()

    def arrived(self, frame: Frame) -> None:
        """Count imaging readouts; every 256th completes a slice."""
        if isinstance(frame.message, Readouts):
            before = self._lines // LINES
            self._lines += int(((frame.message.headers["flags"] & NOT_IMAGING) == 0).sum())
            self._complete += [self._read_at] * (self._lines // LINES - before)

    def sent(self, buffers: Buffers) -> None:
        """Say that the system has taken a message."""
        if sum(map(len, buffers)) >= SMALLEST_IMAGE:
            self.seconds.append(time.perf_counter() - self._complete.pop(0))


def stamp(stamps: Stamps) -> None:
    """Put the stamps around what reads, takes and writes."""
    updated, put, write = MrdPeer.buffer_updated, Runner.put, Outbox.write

    def stamped_updated(self: MrdPeer, nbytes: int) -> None:
        stamps.read()
        updated(self, nbytes)

    def stamped_put(self: Runner, frame: Frame) -> None:
        stamps.arrived(frame)
        put(self, frame)

    def stamped_write(self: Outbox, buffers: Buffers) -> None:
        write(self, buffers)
        stamps.sent(buffers)

    changes: list[tuple[Any, str, Any]] = [
        (MrdPeer, "buffer_updated", stamped_updated),
        (Runner, "put", stamped_put),
        (Outbox, "write", stamped_write),
    ]
    for owner, name, function in changes:
        setattr(owner, name, function)


if __name__ == "__main__":
    kept = Stamps()
    stamp(kept)
    sys.argv = ["echotrain", "serve", *sys.argv[1:]]
    try:
        main()
    finally:
        print(json.dumps(kept.seconds))
