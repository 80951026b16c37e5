"""Figure 3: bytes a second through ZeroMQ, beside a bare ROUTER that receives the same frames and does nothing."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq
from figures import Figure, alternated, rate
from scans import bench_scan
from served import Served
from zmq_sender import QUEUED, run_sender

from echotrain.engine.messages import Close
from echotrain.engine.mrd_codec import encode_bytes
from echotrain.engine.zmq_codec import encode

BLOCK = 32
"""Readouts of 32 KiB in a message."""
REACH = 0.60


@contextmanager
def bare_router(count: int) -> Iterator[str]:
    """Receive ``count`` messages and one more without copying, answer the last, and be done; yields the endpoint."""

    def read() -> None:
        for _ in range(count + 1):
            frames = router.recv_multipart(copy=False)
        router.send_multipart([frames[0].bytes, *encode(Close()).frames("bare", 1)])

    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.set(zmq.RCVHWM, QUEUED)
        router.set(zmq.LINGER, 1000)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        thread = threading.Thread(target=read)
        thread.start()
        yield f"tcp://127.0.0.1:{port}"
        thread.join()


def null(*, quick: bool) -> Figure:
    """Figure 3: the chain ``null``."""
    scan = bench_scan(1)
    block = scan.lines[:BLOCK]
    count = 512 if quick else 2048
    total = count * block.nbytes
    with tempfile.TemporaryDirectory(prefix="echotrain-bench-") as name, Served() as engine:
        stream = Path(name) / "stream"
        stream.write_bytes(encode_bytes(scan.header) + encode_bytes(block))

        def limit() -> float:
            with bare_router(count) as endpoint:
                return total / run_sender(endpoint, stream, count, bare=True)[0]

        def ours() -> float:
            seconds, texts = run_sender(engine.zmq, stream, count, bare=False)
            if not any(f"{count * BLOCK} readouts" in text for text in texts):
                raise RuntimeError(f"the engine did not take {count * BLOCK} readouts:\n{engine.log}")
            return total / seconds

        pairs = alternated(ours, limit, 3 if quick else 9)
    return Figure(
        number="3",
        what=f"ZeroMQ, {BLOCK} readouts of 32 KiB a message, `null`",
        measured=rate(pairs.ours),
        limit=f"bare ROUTER and DEALER {rate(pairs.limits)}",
        ratio=pairs.spread,
        reach=f">= {REACH:.2f}",
        met=pairs.ratio >= REACH,
    )
