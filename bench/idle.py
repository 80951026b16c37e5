"""Figure 7: a thousand idle sessions, and one more that works."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Callable
from typing import Any

import zmq
from figures import Figure
from scans import LINES, BenchScan, bench_scan
from served import Served
from zmq_sender import Sender

from echotrain.clients.async_client import AsyncClient
from echotrain.clients.zmq_connection import ask_status
from echotrain.engine.messages import Image

SESSIONS = 1000
REACH_MIB = 100


def over_mrd(*, quick: bool) -> Figure:
    """Connections that have sent configuration and header."""
    return _idle("MRD/TCP", _open_mrd, lambda engine: f"tcp://{engine.mrd[0]}:{engine.mrd[1]}", quick=quick)


def over_zmq(*, quick: bool) -> Figure:
    """Sessions that are open, each on a connection of its own."""
    return _idle("ZeroMQ", _open_zmq, lambda engine: engine.zmq, quick=quick)


def _idle(
    name: str, opening: Callable[[Served, BenchScan, int], list[Any]], target: Callable[[Served], str], *, quick: bool
) -> Figure:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    scan, count = bench_scan(1), SESSIONS // 10 if quick else SESSIONS
    with Served() as engine:
        _reconstruct(target(engine), name, scan)  # what the first session loads is not the idle ones'
        time.sleep(2.0)  # its buffers and threads are gone
        before = engine.memory("VmRSS")
        held = opening(engine, scan, count)
        deadline = time.monotonic() + 30
        while (opened := len(asyncio.run(ask_status(engine.zmq))["sessions"])) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{opened} sessions are open, expected {count}:\n{engine.log}")
            time.sleep(0.1)
        above = engine.memory("VmRSS") - before
        works = _reconstruct(target(engine), name, scan) == 1
        for each in held:
            each.close(0) if isinstance(each, zmq.Socket) else each.close()
    return Figure(
        number="7",
        what=f"{count} idle sessions open, {name}; one more works: {'yes' if works else 'NO'}",
        measured=f"{above:.0f} MiB",
        limit=f"idle {before:.0f} MiB",
        ratio="-",
        reach=f"<= {REACH_MIB} MiB",
        met=above <= REACH_MIB and works,
    )


def _open_mrd(engine: Served, scan: BenchScan, count: int) -> list[Any]:
    start = scan.start("default")
    connections = [socket.create_connection(engine.mrd) for _ in range(count)]
    for connection in connections:
        connection.sendall(start)
    return connections


def _open_zmq(engine: Served, scan: BenchScan, count: int) -> list[Any]:
    zmq.Context.instance().set(zmq.MAX_SOCKETS, 65_535)
    senders = [Sender(engine.zmq, bare=False) for _ in range(count)]
    for sender in senders:
        sender.open("default", scan.header)
    return [sender.socket for sender in senders]


def _reconstruct(address: str, protocol: str, scan: BenchScan) -> int:
    """Send a whole scan and return the number of images."""

    async def run() -> int:
        client = AsyncClient(address, protocol="mrd" if protocol == "MRD/TCP" else "zmq")
        async with await client.session(scan.header, "default") as session:
            await session.send(scan.noise)
            for first in range(0, LINES, 32):
                await session.send(scan.lines[first : first + 32])
            await session.finish()
            return sum([isinstance(message, Image) async for message in session])

    return asyncio.run(run())
