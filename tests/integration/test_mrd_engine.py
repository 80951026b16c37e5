"""MRD over TCP with the engine behind it: our client, and the ismrmrd package as a foreign one."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

import ismrmrd
import numpy as np
import pytest
from ismrmrd.serialization import ConfigFile, ProtocolDeserializer, ProtocolSerializer

from echotrain.clients.async_client import AsyncClient
from echotrain.clients.mrd_connection import MrdConnection
from echotrain.engine.chain_config import ChainLibrary
from echotrain.engine.engine import Engine
from echotrain.engine.errors import ConnectionLost, DataError, RemoteError
from echotrain.engine.gadget import Gadget
from echotrain.engine.limits import Limits
from echotrain.engine.messages import (
    Array,
    Close,
    ConfigName,
    ConfigText,
    Header,
    Image,
    Parameters,
    Query,
    Readouts,
    Response,
    Text,
)
from echotrain.engine.mrd_codec import encode_bytes
from echotrain.engine.mrd_fault import read_fault
from echotrain.engine.registry import Registry
from echotrain.engine.transports.mrd_tcp import MrdListener

CHAINS = " ".join(sorted(["count", *ChainLibrary().names]))
"""The test's own chain, and the installed ones."""


@dataclass(kw_only=True)
class Count(Gadget[Readouts, Array]):
    """Sends back the scan counters of what it sees; images go through."""

    fail_at: int | None = None

    def receive(self, message: Readouts) -> Iterable[Array]:
        counters = message.headers["scan_counter"].astype(np.uint32)
        for counter in counters:
            if counter == self.fail_at:
                raise DataError(f"readout {counter} is not welcome")
            yield Array(np.array([counter], np.uint32))


@pytest.fixture
async def listener(tmp_path):
    registry = Registry(None)
    registry.add("count", Count)
    (tmp_path / "count.toml").write_text('[[chain]]\ngadget = "count"\n')
    engine = Engine(registry, ChainLibrary(tmp_path), limits=Limits(queue_bytes=200_000, sessions=50))
    listener = MrdListener(engine, "127.0.0.1", 0)
    await listener.start()
    yield listener
    await asyncio.to_thread(engine.drain, 5)
    await listener.close()


@pytest.fixture
async def connect(listener):
    """Return a function that connects to the listener; what it opened is closed at the end."""
    connections = []

    async def to_listener():
        connections.append(await MrdConnection.connect(*listener.address))
        return connections[-1]

    yield to_listener
    for connection in connections:
        await connection.close()


async def sessions_are(listener, count):
    async with asyncio.timeout(10):
        while len(listener.engine.status()["sessions"]) != count:  # noqa: ASYNC110 the engine tells nobody
            await asyncio.sleep(0.001)


def counters(messages):
    return [int(m.data[0]) for m in messages if isinstance(m, Array)]


async def receive_all(connection):
    messages = []
    while not isinstance(messages[-1] if messages else None, Close):
        messages.append(await connection.receive())
    return messages


async def test_a_session_of_our_client_gives_everything_back_in_order(connect, build):
    connection = await connect()
    await connection.open(ConfigName("count"), Header(build.header))
    block = build.readouts(500, coils=4, samples=128)
    received = asyncio.create_task(receive_all(connection))
    for start in range(0, 500, 7):
        await connection.send(block[start : start + 7])
    await connection.send(build.image())
    await connection.send(Close())
    messages = await received
    assert counters(messages) == list(range(500))
    np.testing.assert_array_equal(messages[-2].pixels, build.image().pixels)
    with pytest.raises(ConnectionLost, match="the session is over"):
        await connection.receive()
    for _ in range(2):
        await connection.close()


async def test_the_library_client_speaks_mrd(listener, build):
    client = AsyncClient("tcp://{}:{}".format(*listener.address), protocol="mrd")
    async with await client.session(Header(build.header), "count", {"count.fail_at": 3}) as session:
        await session.send(build.readouts(5))
        with pytest.raises(RemoteError, match="readout 3 is not welcome") as caught:
            async for _ in session:
                pass
    assert (caught.value.remote_code, caught.value.gadget) == ("bad_data", "count")


async def test_config_as_text_and_parameters_are_honoured(connect, build):
    connection = await connect()
    text = ConfigText('[[chain]]\ngadget = "count"\nfail_at = 0\n')
    await connection.open(text, Header(build.header), Parameters(None, {"count.fail_at": 1}))
    await connection.send(build.readouts(3))
    first, failure, last = await receive_all(connection)
    assert counters([first]) == [0]
    assert (read_fault(failure.text).text, last) == ("readout 1 is not welcome", Close())


@pytest.mark.parametrize(
    ("messages", "code", "words"),
    [
        ([ConfigName("no such chain")], "bad_chain", "no such chain"),
        ([ConfigName("../../etc/passwd")], "bad_chain", "passwd"),
        ([ConfigName("count\0x")], "bad_chain", "count"),
        ([ConfigName("x" * 1023)], "bad_chain", "xxx"),
        ([ConfigText("<gadgetronStreamConfiguration/>")], "bad_chain", "XML"),
        ([ConfigText("[[chain")], "bad_chain", ""),
    ],
)
async def test_a_configuration_that_cannot_be_used_is_refused_with_the_reason(connect, build, messages, code, words):
    connection = await connect()
    for message in [*messages, Header(build.header), build.readouts(1)]:
        await connection.send(message)
    failure, last = await receive_all(connection)
    found = read_fault(failure.text)
    assert (found.code, words in found.text, last) == (code, True, Close())


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_a_message_at_the_wrong_time_is_refused(connect, build, position):
    connection = await connect()
    right = [ConfigName("count"), Header(build.header)]
    wrong = [Header(build.header), build.readouts(1), ConfigName("count")][position]
    for message in [*right[:position], wrong]:
        await connection.send(message)
    failure, last = await receive_all(connection)
    assert (read_fault(failure.text).code, last) == ("wrong_order", Close())


async def test_queries_are_answered_before_and_during_a_scan(connect, build):
    connection = await connect()
    await connection.send(Query(5, "chains"))
    assert await connection.receive() == Response(5, CHAINS)
    await connection.open(ConfigName("count"), Header(build.header))
    await connection.send(Query(6, "chains"))
    assert await connection.receive() == Response(6, CHAINS)
    await connection.send(Close())
    assert await receive_all(connection) == [Close()]


async def test_close_instead_of_a_header_is_answered_with_close(connect):
    connection = await connect()
    await connection.send(ConfigName("count"))
    await connection.send(Close())
    assert await receive_all(connection) == [Close()]


async def test_nobody_at_the_address_is_a_lost_connection():
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
    with pytest.raises(ConnectionLost, match=f"no engine answers at 127.0.0.1:{port}"):
        await MrdConnection.connect(host, port)


async def test_an_engine_that_goes_away_is_a_lost_connection(build):
    async def leave(reader, writer):
        await reader.readexactly(10)
        writer.write(encode_bytes(Text("hello")) + b"\x05\x00\x01")
        writer.write_eof()
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(leave, "127.0.0.1", 0) as server:
        connection = await MrdConnection.connect(*server.sockets[0].getsockname())
        await connection.send(Header(build.header))
        assert await connection.receive() == Text("hello")
        for _ in range(2):
            with pytest.raises(ConnectionLost, match="ended inside TEXT"):
                await connection.receive()
        await connection.close()


async def test_a_disconnect_at_any_byte_of_a_session_leaves_the_engine_healthy(connect, listener, build):
    short = b"<ismrmrdHeader><encoding><encodedSpace><matrixSize><x>4</x><y>4</y><z>1</z></matrixSize></encodedSpace>"
    header = Header(short + b"</encoding></ismrmrdHeader>")
    messages = [ConfigText('[[chain]]\ngadget = "count"'), header, build.readouts(1, 1, 4), build.waveform(), Close()]
    stream = b"".join(encode_bytes(message) for message in messages)
    for cut in range(len(stream) + 1):
        with socket.create_connection(listener.address) as sock:
            if cut % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(stream[:cut])
        if cut % 5 == 0:
            await sessions_are(listener, 0)
    await sessions_are(listener, 0)
    connection = await connect()
    await connection.open(ConfigName("count"), Header(build.header))
    await connection.send(build.readouts(2))
    await connection.send(Close())
    assert counters(await receive_all(connection)) == [0, 1]


async def test_one_session_more_than_allowed_is_refused_and_the_next_is_welcome_again(connect, listener):
    held = [await connect() for _ in range(50)]
    await sessions_are(listener, 50)
    refused = await connect()
    failure, last = await receive_all(refused)
    assert (read_fault(failure.text).code, last) == ("refused", Close())
    for connection in [refused, *held]:
        await connection.close()
    await sessions_are(listener, 0)
    again = await connect()
    await again.send(Close())
    assert await receive_all(again) == [Close()]


def foreign_session(address, header, acquisitions):
    """Run a session as a client made of the ismrmrd package would; returns what came back."""
    with socket.create_connection(address, timeout=20) as sock, sock.makefile("rwb") as stream:
        serializer = ProtocolSerializer(stream)
        serializer.serialize(ConfigFile("count"))
        serializer.serialize(ismrmrd.xsd.CreateFromDocument(header))
        for acquisition in acquisitions:
            serializer.serialize(acquisition)
        image = ismrmrd.Image.from_array(np.ones((3, 4), np.float32))
        image.meta = ismrmrd.Meta({"DataRole": "Image"})
        serializer.serialize(image)
        serializer.close()
        return list(ProtocolDeserializer(stream).deserialize())


async def test_the_ismrmrd_package_is_served_unchanged(listener, build):
    block = build.readouts(20, coils=3, samples=32)
    acquisitions = []
    for n in range(len(block)):
        acquisitions.append(ismrmrd.Acquisition(block.headers[n].tobytes()))
        acquisitions[-1].data[:] = block.samples[n]
    received = await asyncio.to_thread(foreign_session, listener.address, build.header, acquisitions)
    assert [int(array[0]) for array in received[:-1]] == list(range(20))
    assert isinstance(received[-1], ismrmrd.Image)
    assert received[-1].meta == {"DataRole": "Image"}
    np.testing.assert_array_equal(received[-1].data, np.ones((1, 1, 3, 4), np.float32))


async def test_images_of_our_client_come_back_with_their_metadata(connect, build):
    connection = await connect()
    await connection.open(ConfigName("count"), Header(build.header))
    await connection.send(build.image())
    await connection.send(Close())
    image, _ = await receive_all(connection)
    assert isinstance(image, Image)
    assert dict(image.meta) == dict(build.image().meta)
