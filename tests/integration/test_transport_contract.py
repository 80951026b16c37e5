"""What every transport owes its sessions: the same tests over memory, MRD/TCP and ZeroMQ."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest

from echotrain.clients.async_client import AsyncClient
from echotrain.engine.chain_config import ChainLibrary
from echotrain.engine.engine import Engine
from echotrain.engine.errors import DataError, Refused, RemoteError
from echotrain.engine.gadget import Context, Gadget
from echotrain.engine.limits import Limits
from echotrain.engine.messages import Array, Header, Image, Message, Readouts, Text, Waveform
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, IMAGE_DTYPE, WAVEFORM_DTYPE
from echotrain.engine.registry import Registry
from echotrain.engine.transports.mrd_tcp import MrdListener
from echotrain.engine.transports.zmq_router import ZmqListener

TRANSPORTS = ("memory", "mrd", "zmq")


def readouts(count, first=0, coils=2, samples=64):
    headers = np.zeros(count, ACQUISITION_DTYPE)
    headers["scan_counter"] = np.arange(first, first + count)
    headers["number_of_samples"], headers["active_channels"] = samples, coils
    data = np.arange(count * coils * samples, dtype=np.float32).reshape(count, coils, samples) * (1 + 1j)
    return Readouts(headers, data.astype(np.complex64))


@dataclass(kw_only=True)
class Mirror(Gadget[Readouts, Image | Text]):
    """Sends every readout back as an image of one line, and at the end a text; fails, waits or reports when asked."""

    fail_at: int = -1
    gated: bool = False
    greeting: str = "DBG done"
    gate = threading.Event()
    _context: Context = field(init=False)
    _seen: int = field(init=False, default=0)

    def start(self, context: Context) -> None:
        self._context = context

    def receive(self, message: Readouts) -> Iterable[Image | Text]:
        if self.gated:
            self.gate.wait(20)
        for head, samples in zip(message.headers, message.samples, strict=True):
            if head["scan_counter"] == self.fail_at:
                raise DataError(f"readout {self.fail_at} is not welcome")
            self._seen += 1
            header = np.zeros((), IMAGE_DTYPE)
            header["version"], header["data_type"], header["channels"] = 1, 7, samples.shape[0]
            header["matrix_size"], header["image_index"] = (samples.shape[1], 1, 1), head["scan_counter"]
            yield Image(header, np.array(samples)[:, None, None, :], {"Name": "µ <&>", "Several": ("a", "b")})

    def finish(self) -> Iterable[Image | Text]:
        yield Text(f"{self.greeting} {self._seen}")


CHAIN = '[[chain]]\ngadget = "mirror"\n'
HEADER = Header(
    b'<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding><encodedSpace><matrixSize><x>64</x><y>8</y><z>1</z>'
    b"</matrixSize></encodedSpace><trajectory>cartesian</trajectory></encoding></ismrmrdHeader>"
)


@pytest.fixture
def engine_with(tmp_path):
    (tmp_path / "mirror.toml").write_text(CHAIN)
    registry = Registry(None)
    registry.add("mirror", Mirror)
    Mirror.gate.set()

    def make(**limits):
        return Engine(registry, ChainLibrary(tmp_path), limits=Limits(**limits))

    yield make
    Mirror.gate.set()


@pytest.fixture(params=TRANSPORTS)
async def open_client(request, engine_with):
    """Return (engine, client) for one transport, with limits of one's choice."""
    listeners = []

    async def make(**limits):
        engine = engine_with(**limits)
        if request.param == "memory":
            return engine, AsyncClient(engine=engine)
        if request.param == "mrd":
            listener = MrdListener(engine, "127.0.0.1", 0)
            await listener.start()
            listeners.append(listener)
            return engine, AsyncClient("tcp://{}:{}".format(*listener.address), protocol="mrd")
        listener = ZmqListener(engine, "tcp://127.0.0.1:0")
        await listener.start()
        listeners.append(listener)
        return engine, AsyncClient(listener.endpoint)

    yield make
    for listener in listeners:
        await listener.close()


async def run(client, messages, chain="mirror", parameters=None) -> list[Message]:
    async def given():
        for message in messages:
            yield message

    async with await client.session(HEADER, chain, parameters) as session:
        return [message async for message in session.exchange(given())]


async def gone(engine):
    for _ in range(500):
        if not engine.status()["sessions"]:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_everything_sent_comes_back_unchanged_and_in_order(open_client):
    engine, client = await open_client()
    sent = [readouts(3), readouts(1, first=3), readouts(7, first=4, samples=17), readouts(2, first=11, coils=5)]
    received = await run(client, sent)
    images = [m for m in received if isinstance(m, Image)]
    assert [int(m.header["image_index"]) for m in images] == list(range(13))
    expected = [samples for block in sent for samples in block.samples]
    for image, samples in zip(images, expected, strict=True):
        assert np.array_equal(image.pixels[:, 0, 0], samples)
        assert image.meta["Name"] == "µ <&>"
        assert image.meta["Several"] == ("a", "b")
    assert [m.text for m in received if isinstance(m, Text)] == ["DBG done 13"]
    assert await gone(engine)


async def test_waveforms_and_arrays_pass_a_chain_that_does_not_take_them(open_client):
    _, client = await open_client()
    header = np.zeros((), WAVEFORM_DTYPE)
    header["channels"], header["number_of_samples"], header["waveform_id"] = 2, 3, 1
    waveform = Waveform(header, np.arange(6, dtype=np.uint32).reshape(2, 3))
    array = Array(np.arange(12, dtype=np.float64).reshape(3, 4))
    received = await run(client, [waveform, array, readouts(1)])
    assert np.array_equal(received[0].samples, waveform.samples)
    assert np.array_equal(received[1].data, array.data)


async def test_a_chain_may_come_as_text_with_fields_set(open_client):
    _, client = await open_client()
    received = await run(client, [readouts(1)], CHAIN, {"mirror.greeting": "WRN set"})
    assert received[-1].text == "WRN set 1"


async def test_an_empty_scan_is_finished(open_client):
    _, client = await open_client()
    assert [m.text for m in await run(client, [])] == ["DBG done 0"]


async def test_an_error_tells_code_gadget_and_message_after_what_was_finished(open_client):
    engine, client = await open_client()
    received = []
    async with await client.session(HEADER, "mirror", {"mirror.fail_at": 2}) as session:
        await session.send(readouts(3))
        with pytest.raises(RemoteError, match="readout 2 is not welcome") as caught:  # noqa: PT012
            async for message in session:
                received.append(message)  # noqa: PERF401 it raises, and what came before counts
    assert (caught.value.remote_code, caught.value.gadget) == ("bad_data", "mirror")
    assert caught.value.message_number in {3, 4}  # over MRD the parameters are a message of their own
    assert len(received) == 2
    assert await gone(engine)


async def test_an_unknown_chain_is_told_with_the_known_names(open_client):
    _, client = await open_client()
    with pytest.raises(RemoteError, match="did you mean 'mirror'") as caught:
        await run(client, [readouts(1)], "miror")
    assert caught.value.remote_code == "bad_chain"


async def test_a_client_that_vanishes_frees_its_session_and_disturbs_no_other(open_client):
    engine, client = await open_client(resume_seconds=0.2)
    survivor = await client.session(HEADER, "mirror")
    await survivor.send(readouts(2))
    lost = await client.session(HEADER, "mirror")
    await lost.send(readouts(2))
    await lost.close()
    await survivor.finish()
    images = [m async for m in survivor if isinstance(m, Image)]
    await survivor.close()
    assert len(images) == 2
    assert await gone(engine)


async def test_a_busy_engine_holds_a_fast_client_back_and_loses_nothing(open_client):
    Mirror.gate.clear()
    engine, client = await open_client(queue_bytes=400_000)
    sent = 0

    async def flood():
        nonlocal sent
        for number in range(400):
            yield readouts(4, first=4 * number, coils=8, samples=512)  # 128 KiB
            sent += 1

    async with await client.session(HEADER, "mirror", {"mirror.gated": True}) as session:
        received = asyncio.create_task(_collect(session.exchange(flood())))
        await asyncio.sleep(0.5)
        held = sent
        waiting = max((s["waiting_bytes"] for s in engine.status()["sessions"]), default=0)
        Mirror.gate.set()
        images = await received
    assert held < 300  # kernel and library buffers hold some megabytes
    assert waiting < 5 * 2**20
    assert images == list(range(1600))


async def _collect(messages) -> list[int]:
    return [int(m.header["image_index"]) async for m in messages if isinstance(m, Image)]


async def test_sessions_side_by_side_do_not_mix(open_client):
    _, client = await open_client()
    results = await asyncio.gather(
        *(run(client, [readouts(1, first=100 * n + i) for i in range(20)]) for n in range(8))
    )
    for number, received in enumerate(results):
        indices = [int(m.header["image_index"]) for m in received if isinstance(m, Image)]
        assert indices == [100 * number + i for i in range(20)]


async def test_a_full_engine_refuses_and_says_why(open_client):
    _, client = await open_client(sessions=1)
    first = await client.session(HEADER, "mirror")
    await first.send(readouts(1))
    with pytest.raises((RemoteError, Refused), match="as many as its settings allow") as caught:
        await run(client, [readouts(1)])
    assert getattr(caught.value, "remote_code", caught.value.code) == "refused"
    await first.finish()
    assert [m async for m in first if isinstance(m, Image)]
    await first.close()


async def test_a_session_that_is_cancelled_from_within_is_told(open_client):
    engine, client = await open_client()
    async with await client.session(HEADER, "mirror") as session:
        await session.send(readouts(1))
        drained = asyncio.create_task(asyncio.to_thread(engine.drain, 0.2))
        with pytest.raises(RemoteError, match="shutting down") as caught:
            async for _ in session:
                pass
        assert await drained is False
    assert caught.value.remote_code == "cancelled"
