"""Connections that break: a proxy between client and engine cuts them, and nothing is lost or comes twice."""

import asyncio
from collections.abc import Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
import pytest

from echotrain.clients.zmq_connection import ZmqConnection
from echotrain.engine.engine import Engine
from echotrain.engine.errors import ConnectionLost, RemoteError
from echotrain.engine.gadget import Gadget
from echotrain.engine.limits import Limits
from echotrain.engine.messages import Array, Close, ConfigText, Header, Readouts
from echotrain.engine.registry import Registry
from echotrain.engine.transports.zmq_router import ZmqListener

SPACE = "<matrixSize><x>8</x><y>8</y><z>1</z></matrixSize>"
HEADER = Header(
    "<ismrmrdHeader><encoding>"
    f"<encodedSpace>{SPACE}</encodedSpace><reconSpace>{SPACE}</reconSpace><trajectory>cartesian</trajectory>"
    "</encoding></ismrmrdHeader>".encode()
)
DOUBLE = ConfigText('[[chain]]\ngadget = "double"\n')


@dataclass(kw_only=True)
class Double(Gadget[Readouts | Array, Array]):
    """Send back twice what comes."""

    def receive(self, message: Readouts | Array) -> Iterable[Array]:
        assert isinstance(message, Array)
        yield Array(2 * message.data)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 what is waited for happens in the engine's threads
            await asyncio.sleep(0.01)


class Proxy:
    """Passes TCP on until it is told to cut; may cut after so many bytes of the client."""

    def __init__(self, target):
        self.port = int(target.rpartition(":")[2])
        self.cuts = []
        self.connections = 0
        self.silent = False
        self._pairs = set()

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.endpoint = f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader, writer):
        self.connections += 1
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.port)
        left = self.cuts.pop(0) if self.cuts else None
        pair = (writer, there_writer)
        self._pairs.add(pair)
        await asyncio.gather(self._pump(reader, there_writer, left), self._pump(there_reader, writer, None))
        self._pairs.discard(pair)

    async def _pump(self, reader, writer, left):
        try:
            while data := await reader.read(65536 if left is None else max(1, min(65536, left))):
                if self.silent:
                    continue
                writer.write(data)
                await writer.drain()
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        break
        except OSError:
            pass
        if left is not None:
            self.cut()
        writer.close()

    def cut(self):
        for pair in list(self._pairs):
            for writer in pair:
                writer.transport.abort()

    async def close(self):
        self.cut()
        self._server.close()
        await until(lambda: not self._pairs)


@asynccontextmanager
async def behind_a_proxy(limits=None, heartbeat=5.0):
    registry = Registry(None)
    registry.add("double", Double)
    engine = Engine(registry, limits=limits)
    listener = ZmqListener(engine, "tcp://127.0.0.1:0", heartbeat=heartbeat)
    await listener.start()
    proxy = Proxy(listener.endpoint)
    await proxy.start()
    try:
        yield engine, proxy
    finally:
        await proxy.close()
        await listener.close()
        assert await asyncio.to_thread(engine.drain, 5.0)


async def exchange(proxy, count, connection, cut_every=None):
    """Send arrays 1 to count and return what came back until the end."""

    async def send():
        for number in range(1, count + 1):
            await connection.send(Array(np.full(5000, number, np.float32)))
            if cut_every and number % cut_every == 0:
                await asyncio.sleep(0.02)
                proxy.cut()
        await connection.send(Close())

    sender = asyncio.create_task(send())
    found = []
    while True:
        message = await asyncio.wait_for(connection.receive(), 30)
        if isinstance(message, Close):
            break
        found.append(message)
    await sender
    return found


def assert_everything_came_once(found, count):
    assert [int(m.data[0]) for m in found] == [2 * n for n in range(1, count + 1)]
    assert all((m.data == m.data[0]).all() for m in found)


async def test_connections_cut_in_mid_stream_lose_nothing_and_double_nothing():
    async with behind_a_proxy() as (_, proxy):
        connection = await ZmqConnection.connect(proxy.endpoint)
        await connection.open(DOUBLE, HEADER)
        found = await exchange(proxy, 200, connection, cut_every=40)
        await connection.close()
    assert_everything_came_once(found, 200)
    assert proxy.connections >= 4


@pytest.mark.parametrize("nbytes", [2_500, 20_100, 61_003, 250_001])
async def test_a_connection_cut_inside_a_message_is_resumed(nbytes):
    async with behind_a_proxy() as (_, proxy):
        proxy.cuts = [nbytes, nbytes + 7]
        connection = await ZmqConnection.connect(proxy.endpoint)
        await connection.open(DOUBLE, HEADER)
        found = await exchange(proxy, 40, connection)
        await connection.close()
    assert_everything_came_once(found, 40)
    assert proxy.connections == 3


async def test_small_windows_and_cuts_together_still_lose_nothing():
    limits = Limits(queue_bytes=100_000)
    async with behind_a_proxy(limits) as (_, proxy):
        connection = await ZmqConnection.connect(proxy.endpoint, limits=limits)
        await connection.open(DOUBLE, HEADER)
        found = await exchange(proxy, 100, connection, cut_every=20)
        await connection.close()
    assert_everything_came_once(found, 100)


async def test_a_connection_that_falls_silent_is_noticed_by_both_sides_and_resumed():
    async with behind_a_proxy(heartbeat=0.1) as (_, proxy):
        connection = await ZmqConnection.connect(proxy.endpoint)
        await connection.open(DOUBLE, HEADER)
        proxy.silent = True
        await connection.send(Array(np.ones(3, np.float32)))
        await asyncio.sleep(0.6)
        proxy.silent = False
        found = await asyncio.wait_for(connection.receive(), 10)
        await connection.close()
    np.testing.assert_array_equal(found.data, [2, 2, 2])
    assert proxy.connections > 1


async def test_a_client_that_stays_away_is_given_up_and_cannot_come_back():
    async with behind_a_proxy(Limits(resume_seconds=0.2), heartbeat=0.05) as (engine, proxy):
        connection = await ZmqConnection.connect(proxy.endpoint)
        await connection.open(DOUBLE, HEADER)
        port, proxy.port = proxy.port, 1
        proxy.cut()
        await until(lambda: not engine.status()["sessions"])
        proxy.port = port
        with pytest.raises(ConnectionLost, match="no such session"):
            await asyncio.wait_for(connection.receive(), 10)
        await connection.close()


async def test_a_session_that_is_not_resumable_ends_with_its_connection():
    async with behind_a_proxy(heartbeat=0.05) as (engine, proxy):
        connection = await ZmqConnection.connect(proxy.endpoint, resume_tries=0)
        await connection.open(DOUBLE, HEADER)
        proxy.cut()
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(connection.receive(), 5)
        await until(lambda: not engine.status()["sessions"])
        await connection.close()


async def test_images_made_while_the_client_was_away_are_there_when_it_comes_back():
    async with behind_a_proxy() as (engine, proxy):
        connection = await ZmqConnection.connect(proxy.endpoint)
        await connection.open(DOUBLE, HEADER)
        for number in range(1, 11):
            await connection.send(Array(np.full(5000, number, np.float32)))
        await connection.send(Close())
        port, proxy.port = proxy.port, 1
        await until(lambda: not engine.status()["sessions"])
        proxy.cut()
        await asyncio.sleep(0.3)
        proxy.port = port
        found = [await asyncio.wait_for(connection.receive(), 10) for _ in range(11)]
        await connection.close()
    assert_everything_came_once(found[:-1], 10)
    assert isinstance(found[-1], Close)


async def test_an_engine_that_is_draining_refuses_new_sessions_with_a_reason():
    async with behind_a_proxy() as (engine, proxy):
        await asyncio.to_thread(engine.drain, 0.0)
        connection = await ZmqConnection.connect(proxy.endpoint)
        with pytest.raises(RemoteError, match="shutting down"):
            await connection.open(DOUBLE, HEADER)
        await connection.close()
