"""Clients that break the protocol, spoken by hand over a bare DEALER: each gets an error, and nobody else is harmed."""

import asyncio
import os
from collections.abc import Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgpack
import numpy as np
import pytest
import zmq
import zmq.asyncio

from echotrain.clients.zmq_connection import ZmqConnection, ask_status
from echotrain.engine.engine import Engine
from echotrain.engine.gadget import Gadget
from echotrain.engine.limits import Limits
from echotrain.engine.messages import Array, Close, ConfigText, Header, Readouts
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.registry import Registry
from echotrain.engine.transports.zmq_router import ZmqListener
from echotrain.engine.transports.zmq_sessions import ZmqSessions

SPACE = "<matrixSize><x>8</x><y>8</y><z>1</z></matrixSize>"
XML = (
    "<ismrmrdHeader><encoding>"
    f"<encodedSpace>{SPACE}</encodedSpace><reconSpace>{SPACE}</reconSpace><trajectory>cartesian</trajectory>"
    "</encoding></ismrmrdHeader>".encode()
)
CHAIN = '[[chain]]\ngadget = "double"\n'
OPEN = {
    "v": 1,
    "type": "open",
    "versions": [1],
    "client": "by hand",
    "config_text": CHAIN,
    "resumable": True,
    "credit": 10**6,
}


@dataclass(kw_only=True)
class Double(Gadget[Readouts | Array, Array]):
    """Send back twice what comes."""

    def receive(self, message: Readouts | Array) -> Iterable[Array]:
        yield Array(2 * message.data if isinstance(message, Array) else 2 * message.samples)


@asynccontextmanager
async def serving(limits=None, **options):
    registry = Registry(None)
    registry.add("double", Double)
    engine = Engine(registry, limits=limits)
    listener = ZmqListener(engine, "tcp://127.0.0.1:0", **options)
    await listener.start()
    try:
        yield listener.endpoint
    finally:
        await listener.close(linger_seconds=0.05)
        assert await asyncio.to_thread(engine.drain, 5.0)


class ByHand:
    """A client that sends whatever it is given."""

    def __init__(self, endpoint, name=None, unread=1000):
        self.context = zmq.asyncio.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 500
        self.socket.rcvhwm = unread
        if unread == 1:
            self.socket.rcvbuf = 8192
        if name is not None:
            self.socket.routing_id = name
        self.socket.connect(endpoint)
        self.session = ""

    async def send(self, envelope, *frames):
        packed = envelope if isinstance(envelope, bytes) else msgpack.packb(envelope)
        await self.socket.send_multipart([packed, *frames])

    async def receive(self):
        """Return the next envelope that is no acknowledgement."""
        async with asyncio.timeout(10):
            while True:
                frames = await self.socket.recv_multipart()
                envelope = msgpack.unpackb(frames[0])
                if envelope["type"] != "ack":
                    return envelope

    async def open(self, **changes):
        await self.send({**OPEN, **changes}, XML)
        answer = await self.receive()
        self.session = answer.get("session", "")
        return answer

    async def say(self, kind, seq, *frames, **fields):
        await self.send({"v": 1, "type": kind, "session": self.session, "seq": seq, **fields}, *frames)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.socket.close()
        await asyncio.to_thread(self.context.term)


async def assert_others_are_well(endpoint):
    connection = await ZmqConnection.connect(endpoint)
    await connection.open(ConfigText(CHAIN), Header(XML))
    await connection.send(Array(np.float32([1, 2])))
    await connection.send(Close())
    doubled = await asyncio.wait_for(connection.receive(), 10)
    np.testing.assert_array_equal(doubled.data, [2, 4])
    assert await asyncio.wait_for(connection.receive(), 10) == Close()
    await connection.close()


def readouts(n=2, coils=1, samples=3):
    headers = np.zeros(n, ACQUISITION_DTYPE)
    headers["active_channels"], headers["number_of_samples"] = coils, samples
    arrays = [["acquisition", [n]], ["complex64", [n, coils, samples]]]
    return arrays, headers.tobytes(), np.ones((n, coils, samples), np.complex64).tobytes()


async def test_a_session_by_hand_shows_that_the_bad_ones_fail_for_their_own_reason():
    arrays, headers, samples = readouts()
    async with serving() as endpoint, ByHand(endpoint) as client:
        assert (await client.open())["type"] == "opened"
        await client.say("readouts", 1, headers, samples, arrays=arrays)
        await client.say("close", 2)
        answer, close = await client.receive(), await client.receive()
    assert (answer["type"], answer["seq"], answer["arrays"]) == ("array", 1, [["complex64", [2, 1, 3]]])
    assert (close["type"], close["seq"]) == ("close", 2)


ARRAYS, HEADERS, SAMPLES = readouts()
BREACHES = {
    "a gap in the numbers": (("array", 3, b"1234"), {"arrays": [["float32", [1]]]}, "malformed", "missing"),
    "an unknown type": (("shout", 1), {}, "unknown_message", "shout"),
    "an unknown dtype": (("array", 1, b"1234"), {"arrays": [["object", [1]]]}, "malformed", "dtype"),
    "a frame too few": (("readouts", 1, HEADERS), {"arrays": ARRAYS}, "malformed", "1 frames"),
    "a frame too short": (("readouts", 1, HEADERS, SAMPLES[:-1]), {"arrays": ARRAYS}, "malformed", "its frame has 47"),
    "a shape that overflows": (("array", 1, b""), {"arrays": [["float32", [2**40, 2**40]]]}, "malformed", "bytes"),
    "a negative size": (("array", 1, b""), {"arrays": [["float32", [-1]]]}, "malformed", "shape"),
    "a fault from a client": (("fault", 1), {"code": "x", "text": "y"}, "wrong_order", "Fault"),
    "a field too many": (("close", 1), {"hurry": True}, "malformed", "hurry"),
    "a number of the wrong type": (("close", "one"), {}, "malformed", "seq"),
    "another version": (("close", 1), {"v": 9}, "version_mismatch", "9"),
    "somebody else's session": (("close", 1), {"session": "guess"}, "malformed", "another session"),
    "opened twice": (("open", 1, XML), OPEN, "wrong_order", "while a session is open"),
    "an acknowledgement of nothing": (("ack", 1), {}, "malformed", "ack"),
}


@pytest.mark.parametrize("breach", BREACHES)
async def test_a_breach_of_the_protocol_ends_its_own_session_with_a_reason(breach):
    (kind, seq, *frames), fields, code, words = BREACHES[breach]
    async with serving() as endpoint, ByHand(endpoint) as client:
        await client.open()
        await client.say(kind, seq, *frames, **fields)
        fault, close = await client.receive(), await client.receive()
        await assert_others_are_well(endpoint)
    assert (fault["type"], fault["code"]) == ("fault", code)
    assert words in fault["text"]
    assert close["type"] == "close"


async def test_bytes_that_are_no_envelope_are_refused_even_without_a_session():
    async with serving() as endpoint, ByHand(endpoint) as client:
        for garbage in (b"", b"\xc1", b"\x93\x01\x02\x03", b"\xdf\xff\xff\xff\xff", os.urandom(64), b"\x91" * 5000):
            await client.send(garbage)
            answer = await client.receive()
            assert (answer["type"], answer["code"], answer["versions"]) == ("refused", "malformed", [1])
        await assert_others_are_well(endpoint)


async def test_a_version_that_is_not_spoken_is_refused_and_the_spoken_ones_are_named():
    async with serving() as endpoint, ByHand(endpoint) as client:
        answer = await client.open(versions=[7, 8], v=8)
        assert (answer["type"], answer["code"], answer["versions"]) == ("refused", "version_mismatch", [1])
        assert "7, 8" in answer["text"]
        answer = await client.open(versions=[2, 1], v=2, something_new=True)
        assert (answer["type"], answer["version"]) == ("opened", 1)


async def test_a_client_that_ignores_credit_is_stopped():
    arrays, headers, samples = readouts(n=8, coils=4, samples=128)
    async with serving(Limits(queue_bytes=20_000)) as endpoint, ByHand(endpoint) as client:
        await client.open(credit=0)
        for seq in range(1, 400):
            await client.say("readouts", seq, headers, samples, arrays=arrays)
        await client.send({"v": 1, "type": "ack", "session": client.session, "ack": 0, "credit": 10**9, "ended": False})
        while (answer := await client.receive())["type"] == "array":
            pass
        await assert_others_are_well(endpoint)
    assert (answer["type"], answer["code"]) == ("fault", "limit_exceeded")
    assert "without credit" in answer["text"]


async def test_an_engine_sends_no_more_than_the_client_granted():
    arrays, headers, samples = readouts(n=8, coils=4, samples=128)
    async with serving() as endpoint, ByHand(endpoint) as client:
        await client.open(credit=1)
        for seq in range(1, 6):
            await client.say("readouts", seq, headers, samples, arrays=arrays)
        assert (await client.receive())["seq"] == 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.receive(), 0.3)
        await client.send({"v": 1, "type": "ack", "session": client.session, "ack": 1, "credit": 10**9, "ended": False})
        assert [(await client.receive())["seq"] for _ in range(4)] == [2, 3, 4, 5]


async def test_sizes_beyond_the_limits_are_refused():
    limits = Limits(message_bytes=10_000, header_bytes=1_000, text_bytes=2_000)
    async with serving(limits) as endpoint, ByHand(endpoint) as client:
        await client.send(OPEN, b"x" * 1001)
        answer = await client.receive()
        assert (answer["type"], answer["code"]) == ("refused", "limit_exceeded")
        await client.open()
        await client.say("array", 1, bytes(6000), bytes(6000), arrays=[["float32", [1500]], ["float32", [1500]]])
        fault = await client.receive()
    assert (fault["type"], fault["code"]) == ("fault", "limit_exceeded")


async def test_a_frame_that_libzmq_will_not_take_ends_only_its_own_connection():
    limits = Limits(message_bytes=10_000, header_bytes=1_000, text_bytes=2_000)
    async with serving(limits) as endpoint, ByHand(endpoint) as client:
        await client.open()
        await client.say("array", 1, bytes(200_000), arrays=[["float32", [50_000]]])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.receive(), 0.3)
        await assert_others_are_well(endpoint)


async def test_a_session_cannot_be_taken_over_without_its_secret_or_from_a_chosen_name():
    async with serving() as endpoint, ByHand(endpoint) as owner, ByHand(endpoint) as thief:
        await owner.open()
        await thief.send({"v": 1, "type": "resume", "session": "guess", "ack": 0, "credit": 0})
        assert (await thief.receive())["type"] == "refused"
        await thief.send({"v": 1, "type": "cancel", "session": owner.session, "text": "mine"})
        assert (await thief.receive())["type"] == "refused"
        async with ByHand(endpoint, name=b"scanner-1") as named:
            assert "ZMQ_ROUTING_ID" in (await named.open())["text"]
        await owner.say("close", 1)
        assert (await owner.receive())["type"] == "close"


async def test_numbers_that_cannot_be_resumed_from_are_refused_and_the_session_stays():
    async with serving() as endpoint, ByHand(endpoint) as owner, ByHand(endpoint) as later:
        await owner.open()
        await later.send({"v": 1, "type": "resume", "session": owner.session, "ack": 5, "credit": 0})
        assert (await later.receive())["type"] == "refused"
        await owner.say("close", 1)
        assert (await owner.receive())["type"] == "close"


async def test_a_client_that_opens_and_vanishes_leaves_nothing():
    async with serving(Limits(resume_seconds=0.2), heartbeat=0.1) as endpoint:
        for _ in range(5):
            async with ByHand(endpoint) as client:
                await client.open()
        async with asyncio.timeout(10):
            while (await ask_status(endpoint))["sessions"]:  # noqa: ASYNC110 it is the engine's clock that is waited for
                await asyncio.sleep(0.05)


async def test_a_client_that_leaves_its_socket_unread_costs_the_engine_no_time_and_nobody_else_anything(monkeypatch):
    tries = 0
    original = ZmqSessions.unblock

    def counted(self):
        nonlocal tries
        tries += 1
        original(self)

    monkeypatch.setattr(ZmqSessions, "unblock", counted)
    arrays, headers, samples = readouts(n=8, coils=16, samples=256)
    async with serving() as endpoint, ByHand(endpoint, unread=1) as client, ByHand(endpoint) as bystander:
        await client.open(credit=2**63)
        await bystander.open()  # there is room for somebody, which is all that a ROUTER's POLLOUT says
        for seq in range(1, 201):
            await client.say("readouts", seq, headers, samples, arrays=arrays)
        await asyncio.sleep(0.5)
        tries = 0
        await asyncio.sleep(0.5)
        assert 0 < tries < 300
        await assert_others_are_well(endpoint)
        assert [(await client.receive())["seq"] for _ in range(200)] == list(range(1, 201))
