import asyncio
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest

from echotrain.clients.async_client import AsyncClient
from echotrain.clients.memory_connection import MemoryConnection
from echotrain.engine import intake
from echotrain.engine.chain_config import ChainLibrary
from echotrain.engine.engine import Engine
from echotrain.engine.errors import DataError, Refused, RemoteError
from echotrain.engine.gadget import Context, Gadget
from echotrain.engine.limits import Limits
from echotrain.engine.messages import Array, ConfigName, Header, Message, Readouts, Text
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.recorder import Recorder
from echotrain.engine.recordings import list_recordings, look_through
from echotrain.engine.registry import Registry

HEADER = Header(
    b'<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding><encodedSpace><matrixSize><x>8</x><y>8</y><z>1</z>'
    b"</matrixSize></encodedSpace><trajectory>cartesian</trajectory></encoding></ismrmrdHeader>"
)


def readouts(count, first=0, samples=8):
    headers = np.zeros(count, ACQUISITION_DTYPE)
    headers["scan_counter"] = np.arange(first, first + count)
    headers["number_of_samples"], headers["active_channels"] = samples, 1
    return Readouts(headers, np.ones((count, 1, samples), np.complex64))


@dataclass(kw_only=True)
class Count(Gadget[Readouts, Array]):
    """Sends the scan counters it saw; holds the chain up while the gate is shut."""

    gate = threading.Event()
    seen: list[int] = field(init=False, default_factory=list)

    def receive(self, message: Readouts) -> Iterable[Array]:
        assert self.gate.wait(20)
        self.seen.extend(message.headers["scan_counter"].tolist())
        return ()

    def finish(self) -> Iterable[Array]:
        yield Array(np.array(self.seen, np.uint32))


@dataclass(kw_only=True)
class Fail(Gadget[Readouts, Array]):
    """Fails on the readout with this counter."""

    at: int = 0
    kind: str = "ours"

    def receive(self, message: Readouts) -> Iterable[Array]:
        for counter in message.headers["scan_counter"]:
            if counter == self.at:
                if self.kind == "ours":
                    raise DataError("expected 8 samples, got 9")
                if self.kind == "memory":
                    raise MemoryError("1 TiB")
                raise KeyError("slice")
            yield Array(np.array([counter], np.uint32))


@dataclass(kw_only=True)
class Hang(Gadget[Readouts, Array]):
    """Does not return until the gate opens."""

    gate = threading.Event()

    def receive(self, message: Readouts) -> Iterable[Array]:
        self.gate.wait(20)
        return ()


@dataclass(kw_only=True)
class Slow(Gadget[Array, Array | Text]):
    """A heavy step: notes in which thread it runs."""

    heavy = True
    threads: set[int] = field(init=False, default_factory=set)

    def start(self, context: Context) -> None:
        self.context = context

    def receive(self, message: Array) -> Iterable[Array | Text]:
        time.sleep(0.002)
        self.threads.add(threading.get_ident())
        yield Array(message.data + 1)

    def finish(self) -> Iterable[Array | Text]:
        yield Text(f"DBG {sorted(self.threads)}")


CHAINS = {
    "count": '[[chain]]\ngadget = "count"',
    "fail": '[[chain]]\ngadget = "fail"\nat = 5',
    "hang": '[[chain]]\ngadget = "hang"',
    "slow": '[[chain]]\ngadget = "fail"\nat = 1000\n' + '[[chain]]\ngadget = "slow"\n' * 2,
}


@pytest.fixture
def make_engine(tmp_path):
    folder = tmp_path / "chains"
    folder.mkdir()
    for name, text in CHAINS.items():
        (folder / f"{name}.toml").write_text(text)
    registry = Registry(None)
    for cls in (Count, Fail, Hang, Slow):
        registry.add(cls.__name__.lower(), cls)

    def make(**options):
        return Engine(registry, ChainLibrary(folder), **options)

    Count.gate.set()
    Hang.gate.clear()
    yield make
    Count.gate.set()
    Hang.gate.set()


async def forgotten(engine) -> None:
    """Wait until no session is left: a client learns of the end a moment before its session is forgotten."""
    async with asyncio.timeout(5):
        while engine.status()["sessions"]:  # noqa: ASYNC110 the engine tells nobody
            await asyncio.sleep(0.01)


async def run(engine, chain, blocks, parameters=None) -> list[Message]:
    async with await AsyncClient(engine=engine).session(HEADER, chain, parameters) as session:
        for block in blocks:
            await session.send(block)
        await session.finish()
        return [message async for message in session]


async def test_what_goes_in_comes_out_in_order(make_engine):
    engine = make_engine()
    (counted,) = await run(engine, "count", [readouts(3), readouts(2, first=3)])
    assert counted.data.tolist() == [0, 1, 2, 3, 4]
    await forgotten(engine)


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("ours", "bad_data", "expected 8 samples, got 9"),
        ("memory", "gadget_failed", "'fail' ran out of memory"),
        ("other", "gadget_failed", "'fail' raised KeyError"),
    ],
)
async def test_a_failing_gadget_is_told_with_code_gadget_and_message_number(make_engine, kind, code, words):
    engine = make_engine()
    session = await AsyncClient(engine=engine).session(HEADER, "fail", {"fail.kind": kind})
    async with session:
        await session.send(readouts(3))
        await session.send(readouts(3, first=3))
        received = []
        with pytest.raises(RemoteError, match=words) as caught:  # noqa: PT012
            async for message in session:
                received.append(message)  # noqa: PERF401 it raises, and what came before counts
    assert (caught.value.remote_code, caught.value.gadget, caught.value.message_number) == (code, "fail", 5)
    assert [int(m.data[0]) for m in received] == [0, 1, 2, 3, 4]  # nothing that was finished before is lost
    await forgotten(engine)


async def test_a_failing_session_leaves_the_others_alone(make_engine):
    engine = make_engine()
    good, bad, other = await asyncio.gather(
        run(engine, "count", [readouts(1, first=i) for i in range(50)]),
        run(engine, "fail", [readouts(1, first=i) for i in range(50)]),
        run(engine, "count", [readouts(50)]),
        return_exceptions=True,
    )
    assert isinstance(bad, RemoteError)
    assert good[0].data.tolist() == other[0].data.tolist() == list(range(50))


async def test_an_unknown_chain_is_told_before_any_readout_with_the_known_names(make_engine):
    session = await AsyncClient(engine=make_engine()).session(HEADER, "coutn")
    async with session:
        with pytest.raises(RemoteError, match=r"no chain is named 'coutn'; did you mean 'count'\? Known: .*fail"):
            async for _ in session:
                pass


async def test_a_bad_header_is_told(make_engine):
    session = await AsyncClient(engine=make_engine()).session(Header(b"<html/>"), "count")
    async with session:
        with pytest.raises(RemoteError, match="<html>, expected <ismrmrdHeader>"):
            async for _ in session:
                pass


async def test_heavy_gadgets_run_on_workers_of_their_own_and_keep_the_order(make_engine):
    received = await run(make_engine(), "slow", [readouts(1, first=i) for i in range(40)])
    arrays = [int(m.data[0]) for m in received if isinstance(m, Array)]
    assert arrays == [i + 2 for i in range(40)]
    threads = [m.text for m in received if isinstance(m, Text)]
    assert len(threads) == 2
    assert threads[0] != threads[1]


async def test_more_sessions_than_allowed_are_refused(make_engine):
    engine = make_engine(limits=Limits(sessions=1))
    first = MemoryConnection(engine)
    with pytest.raises(Refused, match="1 sessions"):
        MemoryConnection(engine)
    await first.close()


async def test_a_session_that_sends_too_much_ends(make_engine):
    engine = make_engine(limits=Limits(session_bytes=2000))
    with pytest.raises(RemoteError, match="at most 2000 are allowed"):
        await run(engine, "count", [readouts(3), readouts(3)])


async def test_a_full_queue_holds_the_client_back(make_engine):
    Count.gate.clear()
    engine = make_engine(limits=Limits(queue_bytes=100_000))
    session = await AsyncClient(engine=engine).session(HEADER, "count")
    async with session:
        sent = 0

        async def flood():
            nonlocal sent
            for i in range(200):
                await session.send(readouts(10, first=10 * i))
                sent += 1
            await session.finish()

        task = asyncio.create_task(flood())
        await asyncio.sleep(0.3)
        assert 10 < sent < 40  # 4 kB a block
        assert engine.status()["sessions"][0]["waiting_bytes"] < 110_000
        Count.gate.set()
        received = [m async for m in session]
        await task
    assert received[0].data.tolist() == list(range(2000))


async def test_with_recording_the_disk_takes_what_memory_cannot(make_engine, tmp_path):
    Count.gate.clear()
    engine = make_engine(limits=Limits(queue_bytes=100_000), recordings=tmp_path / "rec")
    session = await AsyncClient(engine=engine).session(HEADER, "count")
    async with session:
        for i in range(200):
            await session.send(readouts(10, first=10 * i))
        await session.finish()  # the client is done although nothing has been reconstructed
        assert engine.status()["sessions"][0]["waiting_bytes"] < 120_000
        Count.gate.set()
        received = [m async for m in session]
    assert received[0].data.tolist() == list(range(2000))
    (recording,) = list_recordings(tmp_path / "rec")
    for _ in range(100):
        if recording.about["outcome"] == "completed":
            break
        await asyncio.sleep(0.02)
        (recording,) = list_recordings(tmp_path / "rec")
    assert recording.about["outcome"] == "completed"
    contents = look_through(recording.path)
    assert (contents.readouts, contents.closed, contents.cut_bytes) == (2000, True, 0)


async def test_a_slow_disk_holds_the_client_back_before_much_is_unwritten(make_engine, tmp_path, monkeypatch):
    gate, append = threading.Event(), Recorder.append

    def slow(recorder, frame):
        assert gate.wait(20)
        return append(recorder, frame)

    monkeypatch.setattr(Recorder, "append", slow)
    monkeypatch.setattr(intake, "UNWRITTEN_BYTES", 50_000)
    engine = make_engine(recordings=tmp_path / "rec")
    session = await AsyncClient(engine=engine).session(HEADER, "count")
    async with session:

        async def flood():
            for i in range(100):
                await session.send(readouts(10, first=10 * i))  # 4 kB a block
            await session.finish()

        task = asyncio.create_task(flood())
        await asyncio.sleep(0.3)
        assert 40_000 < engine.status()["sessions"][0]["waiting_bytes"] < 60_000
        gate.set()
        received = [m async for m in session]
        await task
    assert received[0].data.tolist() == list(range(1000))


async def test_what_had_arrived_before_a_failure_is_recorded(make_engine, tmp_path):
    engine = make_engine(recordings=tmp_path / "rec")
    with pytest.raises(RemoteError):
        await run(engine, "fail", [readouts(10)])
    for _ in range(100):
        (recording,) = list_recordings(tmp_path / "rec")
        if recording.about["outcome"] != "open":
            break
        await asyncio.sleep(0.02)
    assert recording.about["outcome"].startswith("bad_data: expected 8 samples")
    assert look_through(recording.path).readouts == 10


async def test_a_gadget_that_hangs_ends_its_session_and_no_other(make_engine):
    engine = make_engine(limits=Limits(gadget_seconds=0.2))
    session = await AsyncClient(engine=engine).session(HEADER, "hang")
    async with session:
        await session.send(readouts(1))
        await asyncio.sleep(0.4)
        engine.check_time()
        with pytest.raises(RemoteError, match="'hang' has not returned for") as caught:
            async for _ in session:
                pass
    assert caught.value.remote_code == "gadget_hung"
    (counted,) = await run(engine, "count", [readouts(2)])
    assert counted.data.tolist() == [0, 1]


async def test_a_client_that_leaves_ends_its_session(make_engine):
    engine = make_engine()
    session = await AsyncClient(engine=engine).session(HEADER, "count")
    await session.send(readouts(1))
    await session.close()
    for _ in range(200):
        if not engine.status()["sessions"]:
            break
        await asyncio.sleep(0.01)
    await forgotten(engine)


async def test_draining_lets_sessions_end_refuses_new_ones_and_cancels_the_rest(make_engine):
    engine = make_engine()
    session = await AsyncClient(engine=engine).session(HEADER, "count")
    async with session:
        drained = asyncio.create_task(asyncio.to_thread(engine.drain, 0.3))
        await asyncio.sleep(0.05)
        with pytest.raises(Refused, match="shutting down"):
            MemoryConnection(engine)
        assert await drained is False
        with pytest.raises(RemoteError, match="shutting down") as caught:
            async for _ in session:
                pass
    assert caught.value.remote_code == "cancelled"


async def test_a_liveness_probe_gets_close_and_leaves_nothing(make_engine, tmp_path):
    from echotrain.engine.messages import Close

    engine = make_engine(recordings=tmp_path / "rec")
    connection = MemoryConnection(engine)
    await connection.send(ConfigName("count"))
    await connection.send(Close())
    assert await connection.receive() == Close()
    await connection.close()
    assert not (tmp_path / "rec").exists()
