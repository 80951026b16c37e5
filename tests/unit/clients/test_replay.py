import asyncio
import dataclasses
import itertools
import socket
import time

import numpy as np
import pytest

from echotrain.clients import replay_session
from echotrain.clients.async_client import AsyncClient, AsyncSession
from echotrain.clients.replay import ReplayOptions, replay
from echotrain.clients.replay_report import Outcome
from echotrain.clients.replay_scan import load_scan, prepare_scan
from echotrain.clients.replay_session import Tally
from echotrain.clients.scan_file import Scan, write_scan
from echotrain.engine.chain_config import ChainLibrary
from echotrain.engine.curve_keys import CurveClient, KeyPair
from echotrain.engine.engine import Engine
from echotrain.engine.errors import ConfigurationError
from echotrain.engine.gadget import Gadget
from echotrain.engine.messages import Close, ConfigText, Header, Image, Parameters, Readouts, Text
from echotrain.engine.mrd_layout import IMAGE_DTYPE
from echotrain.engine.registry import Registry
from echotrain.models.perturbation.readout_kinds import Spikes

SLICES, LINES = 3, 4
LAST = np.uint64(1 << 7)  # LAST_IN_SLICE


def make_gadget():
    """Return a gadget that adds up each slice's lines, and the lengths of the blocks that it was given."""
    blocks, starts = [], itertools.count()

    @dataclasses.dataclass(kw_only=True)
    class AddLines(Gadget):
        scale: float = 1.0
        fail_in: int = -1
        """Session that raises after its first image."""
        differ_in: int = -1
        """Session whose last image has other pixels."""
        number: int = dataclasses.field(init=False, default=0)
        lines: dict = dataclasses.field(init=False, default_factory=dict)

        def start(self, context):
            self.number = next(starts)

        def receive(self, message: Readouts) -> list[Image]:
            blocks.append(len(message))
            images = []
            for header, samples in zip(message.headers, message.samples, strict=True):
                which = int(header["idx"]["slice"])
                self.lines.setdefault(which, []).append(np.abs(samples))
                if header["flags"] & LAST:
                    images.append(self.image(which))
            if self.number == self.fail_in:
                raise ValueError("it was to fail")
            return images

        def image(self, which):
            header = np.zeros((), IMAGE_DTYPE)
            pixels = self.scale * np.stack(self.lines[which]).astype(np.float32)[None]
            if self.number == self.differ_in and which == SLICES - 1:
                pixels[0, 0, 0, 0] += 1
            header["image_series_index"], header["image_index"], header["slice"] = 1, which + 1, which
            header["version"], header["data_type"], header["channels"] = 1, 5, 1
            header["matrix_size"] = pixels.shape[:0:-1]
            return Image(header, pixels)

    return AddLines, blocks


@pytest.fixture
def engine(tmp_path):
    cls, blocks = make_gadget()
    registry = Registry(None)
    registry.add("add_lines", cls)
    (tmp_path / "add.toml").write_text('[[chain]]\ngadget = "add_lines"\n')
    engine = Engine(registry, ChainLibrary(tmp_path))
    engine.blocks = blocks
    return engine


@pytest.fixture
def client(engine):
    return AsyncClient(engine=engine)


@pytest.fixture
def block(build):
    block = build.readouts(SLICES * LINES)
    block.headers["idx"]["slice"] = np.repeat(np.arange(SLICES), LINES)
    block.headers["flags"][LINES - 1 :: LINES] = LAST
    return block


@pytest.fixture
def file(tmp_path, build, block):
    write_scan(tmp_path / "scan.h5", Header(build.header), [block])
    return tmp_path / "scan.h5"


def options(*files, **others):
    return ReplayOptions(files=files, **{"chain": "add", **others})


async def test_every_session_and_every_loop_gets_the_same_images(file, client):
    tally = Tally()
    report = await replay(options(file, sessions=3, loop=2), client=client, tally=tally)
    assert report.ok, report.errors
    assert report.count(Outcome.OK) == report.sessions_planned == 6
    assert sorted(s.name for s in report.sessions)[:2] == ["session 1 loop 1", "session 1 loop 2"]
    assert report.images == tally.images == 6 * SLICES
    assert report.readouts == tally.readouts == 6 * SLICES * LINES
    assert report.nbytes == 6 * SLICES * LINES * (340 + 2 * 16 * 8)
    assert (tally.sessions, tally.ended, tally.failed) == (6, 6, 0)
    assert report.latency.images == report.images
    assert 0 <= report.latency.p50 <= report.latency.p99 <= report.latency.max < report.seconds
    assert report.images_without_readouts == 0


async def test_a_session_that_fails_stops_no_other_and_is_named_with_its_error(file, client):
    report = await replay(options(file, sessions=4, chain=CHAIN.format("fail_in = 2")), client=client)
    assert not report.ok
    assert (report.count(Outcome.OK), report.count(Outcome.FAILED)) == (3, 1)
    (kind,) = report.errors
    assert (kind.code, kind.sessions) == ("gadget_failed", 1)
    assert "it was to fail" in kind.example
    assert report.differences == ()


async def test_an_image_that_is_not_the_same_in_one_session_is_reported(file, client):
    report = await replay(options(file, sessions=4, chain=CHAIN.format("differ_in = 1")), client=client)
    assert report.count(Outcome.OK) == 4
    assert not report.ok
    (difference,) = report.differences
    assert difference.file == str(file)
    assert difference.image == f"series 1 index {SLICES} (slice {SLICES - 1})"


async def test_sessions_take_the_files_in_turn_and_only_images_of_one_file_are_compared(
    file, tmp_path, build, block, client
):
    other = tmp_path / "other.h5"
    write_scan(other, Header(build.header), [dataclasses.replace(block, samples=2 * block.samples)])
    report = await replay(options(file, other, sessions=5), client=client)
    assert report.ok
    assert sorted(s.file for s in report.sessions) == [str(other)] * 2 + [str(file)] * 3
    assert [f.readouts for f in report.files] == [SLICES * LINES] * 2


async def test_each_session_with_a_perturbation_is_a_clean_run_a_perturbed_one_and_a_control(file, client):
    spikes = Spikes(share=1, size=2)
    report = await replay(options(file, sessions=2, perturb=(spikes,), control=True, seed=3), client=client)
    assert report.ok, (report.errors, report.differences)
    assert report.count(Outcome.OK) == report.sessions_planned == 6
    assert [f.file for f in report.files] == [str(file), f"{file} (perturbed)", f"{file} (control)"]
    perturbed, control = report.stress
    assert (perturbed.file, perturbed.run, control.run) == (str(file), "perturbed", "control")
    assert perturbed.perturbations == (spikes.model_copy(update={"seed": 3}).to_text(),)
    assert perturbed.size > 0.1
    assert control.size == pytest.approx(perturbed.size, rel=0.05)
    for run in (perturbed, control):
        (series,) = run.series
        assert (series.images, series.alone) == (SLICES, 0)
        assert series.amplification == pytest.approx(series.change / run.size)
    assert perturbed.series[0].largest > control.series[0].largest


async def test_a_perturbed_run_that_fails_is_a_failed_session_and_the_clean_one_is_not(file, client):
    chain = CHAIN.format("fail_in = 1")
    report = await replay(options(file, sessions=1, chain=chain, perturb=(Spikes(share=1, size=2),)), client=client)
    assert (report.count(Outcome.OK), report.count(Outcome.FAILED)) == (1, 1)
    (perturbed,) = report.stress
    assert perturbed.series[0].alone > 0


async def test_an_unknown_chain_is_an_error_of_every_session(file, client):
    report = await replay(options(file, sessions=2, chain="nowhere"), client=client)
    (kind,) = report.errors
    assert (kind.code, kind.sessions) == ("bad_chain", 2)


async def test_where_nobody_listens_the_sessions_have_lost_their_connection(file):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        to = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        report = await replay(options(file, to=to, protocol="mrd", sessions=2))
    (kind,) = report.errors
    assert (kind.code, kind.sessions) == ("connection_lost", 2)
    assert report.target == f"{to} (mrd)"


class ClosesAtOnce:
    """A connection whose engine takes nothing and says that the session is over."""

    async def send(self, message):
        await asyncio.Event().wait()

    async def receive(self):
        return Close()

    async def close(self):
        pass


async def test_an_engine_that_closes_before_everything_is_sent_has_failed_the_session(file, monkeypatch):
    class Client:
        async def session(self, *_):
            return AsyncSession(ClosesAtOnce())

    monkeypatch.setattr(replay_session, "GRACE_SECONDS", 0.05)
    report = await replay(options(file, sessions=2), client=Client())
    (kind,) = report.errors
    assert (kind.code, kind.sessions) == ("connection_lost", 2)
    assert "closed the session after 0 readouts" in kind.example


async def test_whatever_breaks_in_the_client_breaks_one_session_and_is_reported_by_its_type(file, client):
    class Client:
        calls = 0

        async def session(self, *arguments):
            self.calls += 1
            if self.calls == 2:
                raise RuntimeError("out of cheese")
            return await client.session(*arguments)

    report = await replay(options(file, sessions=3), client=Client())
    assert report.count(Outcome.OK) == 2
    (kind,) = report.errors
    assert kind.code == "client_failed"
    assert "RuntimeError: out of cheese" in kind.example


async def test_paced_readouts_leave_when_they_are_due_one_by_one(file, client, engine):
    start = time.perf_counter()
    report = await replay(options(file, sessions=1, speed=10, tr_ms=100), client=client)
    assert report.ok, report.errors
    assert time.perf_counter() - start >= (SLICES * LINES - 1) * 0.01
    assert sum(engine.blocks) == SLICES * LINES
    assert len(engine.blocks) > SLICES  # fewer than one a readout only where this machine was late
    assert report.lateness_seconds >= 0
    assert "100 ms a readout" in report.files[0].pace


async def test_readouts_that_are_due_together_leave_together(tmp_path, build, block, client, engine):
    block.headers["acquisition_time_stamp"] = 1000 + 8 * block.headers["idx"]["slice"]
    write_scan(tmp_path / "scan.h5", Header(build.header), [block])
    report = await replay(options(tmp_path / "scan.h5", sessions=1, speed=1), client=client)
    assert report.ok
    assert report.files[0].pace == "time stamps"
    assert all(count % LINES == 0 for count in engine.blocks)
    assert report.seconds >= 0.04


async def test_at_full_speed_blocks_go_out_whole(file, client, engine):
    await replay(options(file, sessions=1), client=client)
    assert engine.blocks == [SLICES * LINES]


async def test_a_replay_that_is_stopped_reports_what_there_is(file, client):
    stop = asyncio.Event()
    running = asyncio.create_task(
        replay(options(file, sessions=2, speed=1, tr_ms=5000), client=client, stop=stop, tally=(tally := Tally()))
    )
    while tally.readouts < 2:  # noqa: ASYNC110 a tally is looked at, it tells nobody
        await asyncio.sleep(0.01)
    stop.set()
    report = await running
    assert report.interrupted
    assert not report.ok
    assert report.count(Outcome.INTERRUPTED) == 2
    assert report.readouts == 2
    assert report.seconds < 5


async def test_waveforms_travel_in_their_place(tmp_path, build, block, client):
    write_scan(tmp_path / "scan.mrd", Header(build.header), [block[:5], build.waveform(), block[5:]])
    for others in ({}, {"speed": 1, "tr_ms": 1}):
        report = await replay(options(tmp_path / "scan.mrd", sessions=2, **others), client=client)
        assert report.ok, report.errors
        assert report.readouts == 2 * SLICES * LINES


def test_a_file_that_asks_for_a_chain_and_parameters_gets_them_unless_another_chain_is_given(build, block):
    first = Text('{"parameters": {"add_lines.scale": 2.0}}')
    scan = Scan(header=Header(build.header), messages=[first, block], config=ConfigText(CHAIN.format("")))
    own = prepare_scan(scan, chain=None, speed=None, tr_ms=None)
    assert own.chain == CHAIN.format("")
    assert dict(own.parameters) == {"add_lines.scale": 2.0}
    assert own.messages == (block,)
    other = prepare_scan(scan, chain="other", speed=None, tr_ms=None)
    assert (other.chain, dict(other.parameters), other.messages) == ("other", {}, (block,))


def test_parameters_may_name_the_chain_and_a_plain_text_is_sent_as_it_is(build, block):
    header = Header(build.header)
    named = prepare_scan(Scan(header=header, messages=[Parameters("add"), block]), chain=None, speed=None, tr_ms=None)
    assert named.chain == "add"
    plain = prepare_scan(Scan(header=header, messages=[Text("hello"), block]), chain=None, speed=None, tr_ms=None)
    assert plain.chain == "default"
    assert plain.messages == (Text("hello"), block)


def test_a_file_without_readouts_is_refused(tmp_path, build):
    write_scan(tmp_path / "empty.mrd", Header(build.header), [build.waveform()])
    with pytest.raises(ConfigurationError, match=r"empty\.mrd holds no readouts"):
        load_scan(tmp_path / "empty.mrd", chain=None, speed=None, tr_ms=None)


async def test_a_missing_file_is_an_error_before_any_session(tmp_path, client, engine):
    with pytest.raises(ConfigurationError, match="there is no file"):
        await replay(options(tmp_path / "gone.h5"), client=client)
    assert engine.blocks == []


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"files": ()}, "no file"),
        ({"sessions": 0}, "sessions is 0"),
        ({"loop": 0}, "loop is 0"),
        ({"speed": 0.0}, "speed is 0"),
        ({"speed": float("nan")}, "speed is nan"),
        ({"speed": 1.0, "tr_ms": -1.0}, "tr_ms is -1"),
        ({"tr_ms": 5.0}, "give a speed"),
        ({"protocol": "mrd", "curve": CurveClient(KeyPair("a", "b"), "c")}, "CURVE keys are for ZeroMQ"),
        ({"sessions": 1}, "at least 2 sessions"),
    ],
)
def test_options_that_cannot_be_are_refused_with_what_was_expected(file, wrong, text):
    with pytest.raises(ConfigurationError, match=text):
        ReplayOptions(**{"files": (file, file), **wrong})


CHAIN = '[[chain]]\ngadget = "add_lines"\n{}\n'
