"""Sessions over ZeroMQ on loopback: a real engine, a real client, and gadgets made for the purpose."""

import asyncio
import threading
from collections.abc import Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pytest

from echotrain.clients.zmq_connection import ZmqConnection, ask_status
from echotrain.engine.engine import Engine
from echotrain.engine.errors import ConnectionLost, LimitExceeded, RemoteError
from echotrain.engine.gadget import Context, Gadget
from echotrain.engine.limits import Limits
from echotrain.engine.messages import (
    Array,
    Close,
    ConfigName,
    ConfigText,
    Fault,
    Header,
    Image,
    Parameters,
    Progress,
    Query,
    Readouts,
    Response,
    Text,
    Waveform,
)
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, IMAGE_DTYPE, WAVEFORM_DTYPE
from echotrain.engine.registry import Registry
from echotrain.engine.transports.zmq_router import ZmqListener

SPACE = "<matrixSize><x>16</x><y>8</y><z>1</z></matrixSize><fieldOfView_mm><x>1</x><y>1</y><z>1</z></fieldOfView_mm>"
HEADER = Header(
    "<ismrmrdHeader><encoding>"
    f"<encodedSpace>{SPACE}</encodedSpace><reconSpace>{SPACE}</reconSpace><trajectory>cartesian</trajectory>"
    "</encoding></ismrmrdHeader>".encode()
)
ECHO = ConfigText('[[chain]]\ngadget = "echo"\n')


@dataclass(kw_only=True)
class Echo(Gadget[Readouts, Image]):
    """Make an image of every block: its samples, as they are."""

    fail: str = ""
    gate: ClassVar[threading.Event] = threading.Event()
    blocks: ClassVar[int] = 0

    def start(self, context: Context) -> None:
        self._context = context

    def receive(self, message: Readouts) -> Iterable[Image]:
        Echo.blocks += 1
        assert self.gate.wait(30)
        if self.fail:
            raise ValueError(self.fail)
        self._context.notify(Progress("echo", Echo.blocks, 0))
        pixels = message.samples[:, None]
        yield image(pixels, number=int(message.headers["scan_counter"][0]))


@pytest.fixture(autouse=True)
def open_gate():
    Echo.gate.set()
    Echo.blocks = 0
    yield
    Echo.gate.set()


def image(pixels, number=0):
    header = np.zeros((), IMAGE_DTYPE)
    header["data_type"], header["channels"] = 7, pixels.shape[0]
    header["matrix_size"], header["image_index"] = pixels.shape[:0:-1], number
    return Image(header, pixels, MappingProxyType({"ImageComments": ("two", "texts"), "DataRole": "Image"}))


def block(number, n=4, coils=2, samples=16):
    headers = np.zeros(n, ACQUISITION_DTYPE)
    headers["active_channels"], headers["number_of_samples"], headers["scan_counter"] = coils, samples, number
    data = np.arange(n * coils * samples, dtype=np.float32).reshape(n, coils, samples) + number
    return Readouts(headers, data.astype(np.complex64))


@asynccontextmanager
async def serving(limits=None, **options):
    registry = Registry(None)
    registry.add("echo", Echo)
    engine = Engine(registry, limits=limits)
    listener = ZmqListener(engine, "tcp://127.0.0.1:0", **options)
    await listener.start()
    try:
        yield listener
    finally:
        Echo.gate.set()
        await listener.close()
        assert await asyncio.to_thread(engine.drain, 5.0)


@asynccontextmanager
async def connected(listener, **options):
    connection = await ZmqConnection.connect(listener.endpoint, **options)
    try:
        yield connection
    finally:
        await connection.close()


async def send_blocks(connection, count, sent=None):
    for number in range(1, count + 1):
        await connection.send(block(number, n=8, coils=2, samples=64))  # about 11 kB
        if sent is not None:
            sent.append(number)
    await connection.send(Close())


async def everything(connection):
    found = []
    while not found or not isinstance(found[-1], Close):
        found.append(await asyncio.wait_for(connection.receive(), 20))
    return found


async def test_blocks_go_in_and_images_come_out_in_order():
    async with serving() as listener, connected(listener) as connection:
        await connection.open(ECHO, HEADER)
        for number in range(1, 51):
            await connection.send(block(number))
        await connection.send(Close())
        found = await everything(connection)
    images = [m for m in found if isinstance(m, Image)]
    assert [int(m.header["image_index"]) for m in images] == list(range(1, 51))
    for number, got in enumerate(images, start=1):
        np.testing.assert_array_equal(got.pixels[:, 0], block(number).samples)
    assert images[0].meta == {"ImageComments": ("two", "texts"), "DataRole": "Image"}
    assert [m.done for m in found if isinstance(m, Progress)] == list(range(1, 51))
    assert found[-1] == Close()


async def test_waveforms_arrays_and_queries_are_carried():
    header = np.zeros((), WAVEFORM_DTYPE)
    header["channels"], header["number_of_samples"] = 2, 5
    samples = np.arange(10, dtype=np.uint32).reshape(2, 5)
    async with serving() as listener, connected(listener) as connection:
        await connection.open(ECHO, HEADER)
        await connection.send(Query(2**64 - 1, "version"))
        await connection.send(Waveform(header, samples))
        await connection.send(Array(np.float64([[1.5], [2.5]])))
        await connection.send(Text("for the log"))
        await connection.send(Close())
        response, waveform, array, close = await everything(connection)
    assert isinstance(response, Response)
    assert response.correlation == 2**64 - 1
    np.testing.assert_array_equal(waveform.samples, samples)
    assert waveform.header == header
    np.testing.assert_array_equal(array.data, [[1.5], [2.5]])
    assert close == Close()


async def test_a_chain_that_cannot_be_built_is_reported_before_any_data():
    async with serving() as listener, connected(listener) as connection:
        await connection.open(ConfigName("nonsense"), HEADER)
        fault, close = await everything(connection)
        with pytest.raises(ConnectionLost, match="bad_chain"):
            await connection.send(block(1))
    assert isinstance(fault, Fault)
    assert (fault.code, fault.message_number) == ("bad_chain", 2)
    assert "nonsense" in fault.text
    assert close == Close()


async def test_parameters_of_the_handshake_set_fields_and_a_gadgets_failure_names_it():
    parameters = Parameters(None, MappingProxyType({"echo.fail": "on purpose"}))
    async with serving() as listener, connected(listener) as connection:
        await connection.open(ECHO, HEADER, parameters)
        await connection.send(block(1))
        fault, close = await everything(connection)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.gadget, fault.message_number) == ("gadget_failed", "echo", 4)
    assert "on purpose" in fault.text
    assert close == Close()


async def test_a_slow_chain_stops_the_client_and_no_memory_grows():
    limits = Limits(queue_bytes=100_000)
    Echo.gate.clear()
    sent = []
    async with serving(limits) as listener, connected(listener) as connection:
        await connection.open(ECHO, HEADER)
        sender = asyncio.create_task(send_blocks(connection, 100, sent))
        await asyncio.sleep(0.5)
        stopped_at = len(sent)
        waiting = (await ask_status(listener.endpoint))["sessions"][0]["waiting_bytes"]
        Echo.gate.set()
        found = await everything(connection)
        await sender
    assert 5 <= stopped_at <= 12
    assert 50_000 < waiting < 125_000
    assert sum(isinstance(m, Image) for m in found) == 100


async def test_a_client_that_does_not_receive_stops_the_chain_and_is_given_up():
    limits = Limits(queue_bytes=100_000, send_seconds=1.0)
    async with serving(limits) as listener, connected(listener, limits=limits) as connection:
        await connection.open(ECHO, HEADER)
        with pytest.raises(ConnectionLost, match="ended the session"):
            await asyncio.wait_for(send_blocks(connection, 1000), 20)
        assert Echo.blocks < 60
        found = await everything(connection)
    faults = [m for m in found if isinstance(m, Fault)]
    assert [f.code for f in faults] == ["timeout"]


async def test_cancelling_ends_the_session_with_a_fault_that_says_why():
    async with serving() as listener, connected(listener) as connection:
        await connection.open(ECHO, HEADER)
        await connection.send(block(1))
        await connection.cancel("the patient moved")
        found = await everything(connection)
    assert isinstance(found[-2], Fault)
    assert (found[-2].code, found[-2].text) == ("cancelled", "the patient moved")


async def test_a_client_that_leaves_frees_its_session_at_once():
    async with serving() as listener:
        async with connected(listener) as connection:
            await connection.open(ECHO, HEADER)
            assert len((await ask_status(listener.endpoint))["sessions"]) == 1
        for _ in range(100):
            if not (await ask_status(listener.endpoint))["sessions"]:
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("the session is still there")


async def test_sessions_beyond_the_limit_are_refused_and_those_there_are_go_on():
    async with serving(Limits(sessions=1)) as listener, connected(listener) as first, connected(listener) as second:
        await first.open(ECHO, HEADER)
        with pytest.raises(RemoteError, match="1 sessions") as caught:
            await second.open(ECHO, HEADER)
        assert caught.value.remote_code == "refused"
        await first.send(Close())
        assert await everything(first) == [Close()]


async def test_a_message_larger_than_the_engine_takes_is_refused_before_it_is_sent():
    async with serving(Limits(message_bytes=10_000)) as listener, connected(listener) as connection:
        await connection.open(ECHO, HEADER)
        with pytest.raises(LimitExceeded, match="10000"):
            await connection.send(block(1, n=64))
        await connection.send(block(2))
        await connection.send(Close())
        assert sum(isinstance(m, Image) for m in await everything(connection)) == 1


async def test_an_idle_session_lives_on_heartbeats_and_ends_when_no_data_come():
    async with serving(Limits(idle_seconds=1.0), heartbeat=0.1) as listener, connected(listener) as connection:
        await connection.open(ECHO, HEADER)
        await asyncio.sleep(0.7)  # more than the three heartbeats after which silence counts
        await connection.send(block(1))
        found = await everything(connection)
    assert [type(m) for m in found] == [Progress, Image, Fault, Close]
    assert found[2].code == "timeout"


async def test_an_engine_that_stops_ends_its_sessions_for_the_client():
    async with serving(heartbeat=0.1) as listener:
        connection = await ZmqConnection.connect(listener.endpoint, resume_tries=2)
        await connection.open(ECHO, HEADER)
        await listener.close()
        with pytest.raises(ConnectionLost, match="2 tries"):
            await asyncio.wait_for(connection.receive(), 10)
        await connection.close()


async def test_two_hundred_idle_sessions_disturb_nobody():
    async with serving() as listener:
        idle = [await ZmqConnection.connect(listener.endpoint) for _ in range(200)]
        for connection in idle:
            await connection.open(ECHO, HEADER)
        async with connected(listener) as connection:
            await connection.open(ECHO, HEADER)
            await connection.send(block(7))
            await connection.send(Close())
            assert sum(isinstance(m, Image) for m in await everything(connection)) == 1
        for connection in idle:
            await connection.close()
