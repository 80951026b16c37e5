"""A process that sends blocks of readouts over ZeroMQ as fast as they are taken, and says how long that took.

The same for the engine and for a bare ROUTER: a DEALER with the same frames, envelopes packed beforehand. The engine's
credit is honoured; a bare ROUTER has none, and its high-water mark holds the sender back.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import zmq

from echotrain.engine.limits import Limits
from echotrain.engine.messages import Close, ConfigName, Header
from echotrain.engine.mrd_codec import MrdDecoder
from echotrain.engine.zmq_codec import Encoded, Numbered, encode
from echotrain.engine.zmq_control import Ack, Open, Opened, decode, encode_control

LIMITS = Limits()
WINDOW = 64 * 1024 * 1024
QUEUED = 64
"""High-water mark, as the engine has it."""


class Sender:
    """A DEALER and what the engine has granted it."""

    def __init__(self, endpoint: str, *, bare: bool) -> None:
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.set(zmq.SNDHWM, QUEUED)
        self.socket.set(zmq.RCVHWM, QUEUED)
        self.socket.connect(endpoint)
        self.session, self.credit = "bare", 2**62
        self.texts: list[str] = []
        self.closed = False
        self._bare = bare

    def open(self, chain: str, header: Header) -> None:
        """Open a session."""
        if self._bare:
            return
        self.socket.send_multipart(encode_control(Open(ConfigName(chain), header, credit=WINDOW, resumable=False)))
        opened = decode(self.socket.recv_multipart(), LIMITS)
        if not isinstance(opened, Opened):
            raise TypeError(f"the engine answered open with {opened}")
        self.session, self.credit = opened.session, opened.credit

    def listen(self, flags: int = 0) -> None:
        """Take one message of the other side."""
        frames = self.socket.recv_multipart(flags)
        message = decode(frames, LIMITS)
        if isinstance(message, Ack):
            self.credit = message.credit
        elif isinstance(message, Numbered):
            self.texts.append(str(message.message))
            self.closed = self.closed or isinstance(message.message, Close)

    def send(self, block: Encoded, count: int) -> float:
        """Send a block so many times and Close; seconds until Close came back."""
        messages = [block.frames(self.session, seq) for seq in range(1, count + 1)]
        last = encode(Close()).frames(self.session, count + 1)
        nbytes = sum(map(len, messages[0]))
        time.sleep(0.1)
        sent = 0
        began = time.perf_counter()
        for frames in messages:
            while sent >= self.credit:
                self.listen()
            self.socket.send_multipart(frames, copy=False)
            sent += nbytes
            while self.socket.get(zmq.EVENTS) & zmq.POLLIN:
                self.listen(zmq.NOBLOCK)
        self.socket.send_multipart(last)
        while not self.closed:
            self.listen()
        return time.perf_counter() - began


def run_sender(endpoint: str, stream: Path, count: int, *, bare: bool) -> tuple[float, list[str]]:
    """Send from another process; ``stream`` holds MRD bytes of a header and a block. Seconds, and texts received."""
    command = [sys.executable, __file__, endpoint, str(stream), str(count), *(["--bare"] if bare else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    seconds, texts = json.loads(done.stdout)
    return float(seconds), texts


def main() -> None:
    """Send what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("stream", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--bare", action="store_true")
    given = parser.parse_args()
    header, block = (frame.message for frame in MrdDecoder(LIMITS).feed(memoryview(given.stream.read_bytes())))
    if not isinstance(header, Header):
        raise TypeError("the stream begins with no header")
    sender = Sender(given.endpoint, bare=given.bare)
    sender.open("null", header)
    seconds = sender.send(encode(block), given.count)
    print(json.dumps([seconds, sender.texts]))
    sender.socket.close(1000)


if __name__ == "__main__":
    main()
