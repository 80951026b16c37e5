"""The MRD listener: with a runner that only notes what it is given, and with the engine's own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from contextlib import asynccontextmanager

import numpy as np
import pytest
import structlog

from echotrain.clients.mrd_connection import MrdConnection
from echotrain.engine.errors import (
    ConnectionLost,
    LimitExceeded,
    Refused,
    SessionTimeout,
    Truncated,
    UnknownMessage,
)
from echotrain.engine.limits import Limits
from echotrain.engine.messages import (
    Array,
    Close,
    ConfigName,
    Header,
    Readouts,
    Text,
)
from echotrain.engine.mrd_codec import encode_bytes
from echotrain.engine.mrd_fault import read_fault
from echotrain.engine.session import State, fault
from echotrain.engine.transports import mrd_peer
from echotrain.engine.transports.mrd_tcp import MrdListener

CLOSE = struct.pack("<H", 4)


class NotingRunner:
    """Notes what a transport gives it; answers from a worker thread, as the engine's runner does."""

    def __init__(self, peer):
        self.peer = peer
        self.messages, self.errors = [], []
        self.state = State.AWAITING_CONFIG
        self.backlog = 0
        self.recorder = None
        self.full = False
        self.log = structlog.get_logger("echotrain")
        self.changed = threading.Event()

    def put(self, frame):
        if isinstance(frame.message, Header):
            self.state = State.STREAMING
        self.messages.append(frame.message)
        self.changed.set()
        if isinstance(frame.message, Close):
            self.answer(Close())

    def lost(self, error):
        self.errors.append(error)
        self.answer(fault(error), Close())

    def answer(self, *messages):
        threading.Thread(target=self._answer, args=(messages,), daemon=True).start()

    def _answer(self, messages):
        try:
            for message in messages:
                self.peer.send(message)
        except (ConnectionLost, SessionTimeout) as error:
            self.errors.append(error)
        finally:
            self.peer.ended()


class NotingEngine:
    def __init__(self, limits):
        self.limits = limits
        self.runners = []

    def open(self, peer, *, transport, remote):
        if len(self.runners) >= self.limits.sessions:
            raise Refused("the engine has too many sessions")
        assert transport == "mrd"
        assert remote.startswith("127.0.0.1:")
        self.runners.append(NotingRunner(peer))
        return self.runners[-1]


@pytest.fixture
async def listen():
    """Return a function that starts a listener with given limits, and its engine of notes."""
    listeners = []

    async def start(engine=None, **limits):
        listener = MrdListener(engine or NotingEngine(Limits(**limits)), "127.0.0.1", 0)
        await listener.start()
        listeners.append(listener)
        return listener

    yield start
    for listener in listeners:
        await listener.close()


async def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def visit(listener, **options):
    """Connect, and leave without a fuss at the end."""
    reader, writer = await asyncio.open_connection(*listener.address, **options)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def talk(listener, raw, *, shut=False):
    """Send bytes and return all that comes back until the listener closes."""
    async with visit(listener) as (reader, writer):
        writer.write(raw)
        if shut:
            writer.write_eof()
        return await reader.read()


def read_text(raw):
    """Return the fault in an answer that must be TEXT, CLOSE."""
    number, length = struct.unpack_from("<HI", raw)
    assert number == 5
    assert raw[6 + length :] == CLOSE
    found = read_fault(raw[6 : 6 + length].decode())
    assert found is not None
    return found


def start_of_session(build):
    return b"".join(encode_bytes(message) for message in (ConfigName("count"), Header(build.header)))


async def test_a_session_brings_its_messages_in_order_and_ends_with_close(listen, build):
    listener = await listen()
    sent = build.messages()
    assert await talk(listener, b"".join(encode_bytes(message) for message in sent)) == CLOSE
    (runner,) = listener.engine.runners
    assert [type(m) for m in runner.messages] == [type(m) for m in sent]
    assert runner.errors == []


async def test_a_client_may_shut_down_its_sending_end_and_still_reads_everything(listen, build):
    listener = await listen()
    assert await talk(listener, start_of_session(build) + CLOSE, shut=True) == CLOSE
    assert listener.engine.runners[0].errors == []


async def test_a_large_answer_arrives_whole_although_the_client_never_stops_sending(listen, build):
    listener = await listen()
    image = np.arange(1_000_000, dtype=np.float32)
    async with visit(listener) as (reader, writer):
        writer.write(start_of_session(build))
        await until(lambda: listener.engine.runners and len(listener.engine.runners[0].messages) == 2)
        listener.engine.runners[0].answer(*8 * [Array(image)], Close())
        expected = 8 * encode_bytes(Array(image)) + CLOSE
        got = bytearray()
        while True:
            writer.write(encode_bytes(build.readouts(4)))
            piece = await reader.read(500_000)
            if not piece:
                break
            got += piece
        assert got == expected


async def test_bytes_after_close_are_ignored_with_a_warning(listen, build):
    listener = await listen()
    with structlog.testing.capture_logs() as logs:
        assert await talk(listener, CLOSE + b"\xff\xff" + encode_bytes(build.readouts(3))) == CLOSE
    assert listener.engine.runners[0].messages == [Close()]
    assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_a_refused_client_is_told_and_the_others_go_on(listen):
    listener = await listen(sessions=1)
    async with visit(listener) as (reader, writer):
        await until(lambda: listener.engine.runners)
        assert read_text(await talk(listener, b"")).code == "refused"
        writer.write(CLOSE)
        assert await reader.read() == CLOSE


@pytest.mark.parametrize(
    ("raw", "kind", "words"),
    [
        (struct.pack("<H", 999), UnknownMessage, "message id 999"),
        (struct.pack("<HI", 2, 2**31), LimitExceeded, "at most"),
    ],
)
async def test_what_cannot_be_read_ends_the_session_with_the_reason(listen, build, raw, kind, words):
    listener = await listen()
    answer = read_text(await talk(listener, start_of_session(build) + raw + bytes(100_000)))
    (error,) = listener.engine.runners[0].errors
    assert isinstance(error, kind)
    assert (answer.code, words in answer.text) == (kind.code, True)
    assert len(listener.engine.runners[0].messages) == 2


async def test_a_probe_that_sends_nothing_is_no_failure(listen):
    listener = await listen()
    assert await talk(listener, b"", shut=True) == CLOSE
    (runner,) = listener.engine.runners
    assert (runner.messages, runner.errors) == ([Close()], [])


@pytest.mark.parametrize("cut", [1, 2, 500, 1026])
async def test_a_stream_that_ends_early_is_reported_as_truncated(listen, build, cut):
    listener = await listen()
    answer = read_text(await talk(listener, start_of_session(build)[:cut], shut=True))
    assert answer.code == "truncated"
    assert isinstance(listener.engine.runners[0].errors[0], Truncated)


async def test_a_disconnect_at_any_byte_leaves_the_listener_healthy(listen, build):
    listener = await listen()
    messages = [ConfigName("x"), Header(b"<x/>"), build.readouts(2, 1, 4), build.image(meta={}), Close()]
    stream = b"".join(encode_bytes(message) for message in messages)
    cuts = [*range(4), *range(1020, len(stream) + 1)]  # the rest is a chain name's padding
    for count, cut in enumerate(cuts, 1):
        with socket.create_connection(listener.address) as sock:
            if cut % 2:  # a reset instead of an orderly end
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(stream[:cut])
        if count % 50 == 0:
            await until(lambda count=count: len(listener.engine.runners) == count)
    await until(lambda: len(listener.engine.runners) == len(cuts))
    await until(lambda: all(r.errors or Close() in r.messages for r in listener.engine.runners))
    assert await talk(listener, CLOSE) == CLOSE


async def test_reading_stops_while_the_runner_is_full_and_goes_on_after(listen, build):
    listener = await listen()
    connection = await MrdConnection.connect(*listener.address)
    await connection.open(ConfigName("x"), Header(build.header))
    await until(lambda: listener.engine.runners and len(listener.engine.runners[0].messages) == 2)
    (runner,) = listener.engine.runners
    runner.full = True
    block = build.readouts(64, coils=8, samples=512)
    sender = asyncio.create_task(send_many(connection, block, 16))
    await asyncio.sleep(0.3)
    stopped_at = sum(len(m) for m in runner.messages if isinstance(m, Readouts))
    await asyncio.sleep(0.2)
    assert sum(len(m) for m in runner.messages if isinstance(m, Readouts)) == stopped_at < 16 * 64
    runner.full = False
    runner.peer.consumed(1)
    await sender
    await connection.send(Close())
    assert await connection.receive() == Close()
    assert sum(len(m) for m in runner.messages if isinstance(m, Readouts)) == 16 * 64
    await connection.close()


async def send_many(connection, block, times):
    for _ in range(times):
        await connection.send(block)


async def test_a_client_that_sends_nothing_is_told_that_it_is_late(listen):
    listener = await listen(handshake_seconds=0.2)
    answer = read_text(await talk(listener, b""))
    assert (answer.code, answer.text) == ("timeout", "no configuration and header within 0.2 s")


async def test_a_handshake_that_trickles_is_late_all_the_same(listen, build):
    listener = await listen(handshake_seconds=0.3)
    async with visit(listener) as (reader, writer):
        answer = asyncio.create_task(reader.read())
        for byte in start_of_session(build):
            if answer.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
        assert read_text(await answer).code == "timeout"


async def test_a_message_that_trickles_is_late_although_bytes_keep_coming(listen, build):
    listener = await listen(message_seconds=0.3, idle_seconds=0.2)
    async with visit(listener) as (reader, writer):
        answer = asyncio.create_task(reader.read())
        writer.write(start_of_session(build))
        for byte in encode_bytes(build.readouts(1)):
            if answer.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        assert read_text(await answer).text == "a message is still incomplete after 0.3 s"


async def test_messages_that_arrive_torn_are_not_late_as_long_as_each_ends(listen, build):
    listener = await listen(message_seconds=0.3)
    async with visit(listener) as (_, writer):
        raw = encode_bytes(build.readouts(1))
        writer.write(start_of_session(build) + raw[:100])
        for _ in range(6):
            await asyncio.sleep(0.1)
            writer.write(raw[100:] + raw[:100])
        await asyncio.sleep(0.1)
        assert listener.engine.runners[0].errors == []


async def test_a_scan_that_falls_silent_is_ended_and_a_draining_one_is_not(listen, build):
    listener = await listen(idle_seconds=0.2)
    assert read_text(await talk(listener, start_of_session(build))).text == "nothing received for 0.2 s"
    async with visit(listener) as (reader, writer):
        await until(lambda: len(listener.engine.runners) == 2)
        runner = listener.engine.runners[1]
        runner.answer = lambda *_: None  # the chain takes its time
        writer.write(start_of_session(build) + CLOSE)
        await asyncio.sleep(0.6)
        assert runner.errors == []
        NotingRunner.answer(runner, Close())
        assert await reader.read() == CLOSE


async def test_a_client_that_never_reads_fails_the_sender_in_time_and_is_cut_off(listen, build):
    listener = await listen(send_seconds=0.4)
    with socket.create_connection(listener.address) as sock:
        sock.sendall(start_of_session(build))
        await until(lambda: listener.engine.runners and len(listener.engine.runners[0].messages) == 2)
        (runner,) = listener.engine.runners
        runner.answer(*1000 * [Array(np.zeros(250_000, np.float32))])
        await until(lambda: len(runner.errors) >= 2)
        assert all(isinstance(error, SessionTimeout) for error in runner.errors)
        assert "read nothing" in str(runner.errors[0])
        await until(lambda: not listener._connections)


async def test_a_client_that_reads_slowly_gets_everything_in_order(listen, build):
    listener = await listen(send_seconds=2.0)
    async with visit(listener, limit=1024) as (reader, writer):
        writer.write(start_of_session(build))
        await until(lambda: listener.engine.runners and len(listener.engine.runners[0].messages) == 2)
        arrays = [Array(np.full(200_000, n, np.uint16)) for n in range(30)]
        listener.engine.runners[0].answer(*arrays, Close())
        got = bytearray()
        while piece := await reader.read(200_000):
            got += piece
            await asyncio.sleep(0.005)
        assert got == b"".join(encode_bytes(message) for message in arrays) + CLOSE


async def test_a_sender_learns_that_the_client_has_gone(listen, build):
    listener = await listen()
    async with visit(listener) as (_, writer):
        writer.write(start_of_session(build))
        await until(lambda: listener.engine.runners and len(listener.engine.runners[0].messages) == 2)
        writer.transport.abort()
        await until(lambda: listener.engine.runners[0].errors)
        with pytest.raises(ConnectionLost, match="disconnected"):
            await asyncio.to_thread(listener.engine.runners[0].peer.send, Text("anyone?"))


async def test_a_client_that_does_not_close_is_cut_off_after_a_while(listen, monkeypatch):
    monkeypatch.setattr(mrd_peer, "LINGER_SECONDS", 0.2)
    listener = await listen(send_seconds=0.4)
    with socket.create_connection(listener.address) as sock:
        sock.sendall(CLOSE)
        await until(lambda: listener.engine.runners)
        await until(lambda: not listener._connections)


async def test_an_idle_connection_holds_no_receive_buffer(listen, build):
    listener = await listen()
    async with visit(listener) as (_, writer):
        await until(lambda: listener._connections)
        (connection,) = listener._connections
        assert connection._buffer is None
        writer.write(start_of_session(build))
        await until(lambda: connection._buffer is not None and connection._buffer.nbytes > 0)
        await until(lambda: connection._buffer.nbytes == 0)
    await until(lambda: not listener._connections)


async def test_closing_the_listener_cuts_off_who_has_not_ended(listen, build):
    listener = await listen()
    async with visit(listener) as (reader, writer):
        writer.write(start_of_session(build))
        await until(lambda: listener.engine.runners and len(listener.engine.runners[0].messages) == 2)
        await listener.close()
        assert await reader.read() == b""
        assert isinstance(listener.engine.runners[0].errors[0], ConnectionLost)


async def test_what_comes_while_workers_are_behind_is_one_block_once_they_are_not(listen, build):
    listener = await listen()
    async with visit(listener) as (_, writer):
        writer.write(start_of_session(build))
        await until(lambda: listener.engine.runners and len(listener.engine.runners[0].messages) == 2)
        runner = listener.engine.runners[0]
        runner.backlog = 1
        for seed in range(5):
            writer.write(encode_bytes(build.readouts(2, seed=seed)))
            await asyncio.sleep(0.02)
        assert len(runner.messages) == 2
        runner.backlog = 0
        runner.peer.consumed(0)
        await until(lambda: len(runner.messages) == 3)
        assert len(runner.messages[2]) == 10
        writer.write(CLOSE)
        await until(lambda: len(runner.messages) == 4)


@pytest.mark.parametrize("orderly", [True, False])
async def test_what_had_come_before_a_disconnect_reaches_the_runner_though_workers_are_behind(listen, build, orderly):
    listener = await listen()
    async with visit(listener) as (_, writer):
        writer.write(start_of_session(build))
        await until(lambda: listener.engine.runners and len(listener.engine.runners[0].messages) == 2)
        runner = listener.engine.runners[0]
        runner.backlog = 1
        writer.write(encode_bytes(build.readouts(3)))
        await writer.drain()
        await asyncio.sleep(0.1)
        if orderly:
            writer.write_eof()
        else:
            writer.transport.abort()
        await until(lambda: runner.errors)
    assert [len(message) for message in runner.messages[2:]] == [3]
