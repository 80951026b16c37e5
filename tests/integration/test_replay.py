"""Replay against every transport: the same sessions, the same images, the same report."""

import asyncio
import json
import signal
import sys

import numpy as np
import pytest

from echotrain.clients.async_client import AsyncClient
from echotrain.clients.replay import ReplayOptions, replay
from echotrain.clients.replay_report import Outcome
from echotrain.clients.scan_file import write_scan
from echotrain.engine.engine import Engine
from echotrain.engine.messages import Header
from echotrain.engine.transports.mrd_tcp import MrdListener
from echotrain.engine.transports.zmq_router import ZmqListener
from echotrain.models.perturbation.specification import WorstCase

LINES = 8
CHAIN = """
[[chain]]
gadget = "accumulate"
[[chain]]
gadget = "reconstruct_fourier"
[[chain]]
gadget = "combine_coils"
[[chain]]
gadget = "make_images"
[[chain]]
gadget = "discard"
kinds = ["waveforms"]
"""


@pytest.fixture(params=["memory", "mrd", "zmq"])
async def replayer(request):
    """Return a function that replays at an engine over one of the transports."""
    engine = Engine()
    if request.param == "memory":
        listener, to, protocol, client = None, "tcp://127.0.0.1:1", "zmq", AsyncClient(engine=engine)
    elif request.param == "mrd":
        listener, protocol, client = MrdListener(engine, "127.0.0.1", 0), "mrd", None
        await listener.start()
        to = "tcp://{}:{}".format(*listener.address)
    else:
        listener, protocol, client = ZmqListener(engine, "tcp://127.0.0.1:0"), "zmq", None
        await listener.start()
        to = listener.endpoint

    async def run(*files, **options):
        return await replay(ReplayOptions(files=files, to=to, protocol=protocol, **options), client=client)

    yield run
    await asyncio.to_thread(engine.drain, 5)
    if listener is not None:
        await listener.close()


@pytest.fixture
def make_scan(tmp_path, build):
    def make(name, slices=3, samples=16, seed=0):
        block = build.readouts(slices * LINES, samples=samples, seed=seed)
        block.headers["center_sample"] = samples // 2
        block.headers["idx"]["slice"] = np.repeat(np.arange(slices), LINES)
        block.headers["idx"]["kspace_encode_step_1"] = np.tile(np.arange(LINES), slices)
        block.headers["flags"][LINES - 1 :: LINES] = 1 << 7  # LAST_IN_SLICE
        block.headers["acquisition_time_stamp"] = 1000 + np.arange(len(block))
        write_scan(tmp_path / name, Header(build.header), [block[:5], build.waveform(), block[5:]])
        return tmp_path / name

    return make


async def test_eight_sessions_of_two_files_repeat_themselves_bit_for_bit(replayer, make_scan):
    report = await replayer(make_scan("a.h5"), make_scan("b.mrd", slices=2, seed=1), sessions=8, loop=2)
    assert report.ok, (report.errors, report.differences)
    assert report.count(Outcome.OK) == 16
    assert report.images == 8 * 3 + 8 * 2
    assert report.readouts == 8 * 5 * LINES
    assert report.images_without_readouts == 0
    assert 0 < report.latency.p50 <= report.latency.max < report.seconds


async def test_paced_sessions_take_the_time_of_their_stamps(replayer, make_scan):
    report = await replayer(make_scan("a.h5"), sessions=2, speed=0.5, chain=CHAIN)
    assert report.ok, (report.errors, report.differences)
    assert report.images == 2 * 3
    assert report.seconds >= (3 * LINES - 1) * 2.5e-3 / 0.5
    assert report.latency.images == 6


async def test_a_scan_that_contradicts_its_header_fails_alone_with_the_engines_own_words(replayer, make_scan):
    good, bad = make_scan("good.h5"), make_scan("bad.h5", samples=32)
    report = await replayer(good, bad, sessions=4)
    assert (report.count(Outcome.OK), report.count(Outcome.FAILED)) == (2, 2)
    assert {s.file for s in report.sessions if s.outcome is Outcome.FAILED} == {str(bad)}
    (kind,) = report.errors
    assert kind.code == "bad_data"
    assert "32" in kind.example


async def test_a_chain_that_is_not_there_is_the_engines_error_in_every_session(replayer, make_scan):
    report = await replayer(make_scan("a.h5"), sessions=3, chain="nowhere")
    (kind,) = report.errors
    assert (kind.code, kind.sessions) == ("bad_chain", 3)
    assert report.images == 0


async def test_real_scans_repeat_themselves_bit_for_bit(replayer, data):
    names = ("phantom_gre_2ch.h5", "shepp_logan_r2_acs16_noise_8ch.h5")
    report = await replayer(*(data / "raw" / name for name in names), sessions=4)
    assert report.ok, (report.errors, report.differences)
    assert report.images_without_readouts == 0
    assert all(s.images > 0 for s in report.sessions)
    assert report.latency.images == report.images


async def test_a_real_scan_is_attacked_from_outside_and_changes_more_than_by_noise_of_the_same_norm(replayer, data):
    attack = WorstCase(model="cg-sense", epsilon=0.02, iterations=3)
    scan = data / "raw" / "phantom_16ch.h5"
    report = await replayer(scan, sessions=1, chain="sense", undersample=4, perturb=(attack,), control=True)
    assert report.ok, (report.errors, report.differences)
    worst, control = report.stress
    # as sent, without the whitening in which epsilon is meant
    assert worst.size == pytest.approx(0.02, rel=0.2)
    assert control.size == pytest.approx(0.02, rel=0.2)
    assert worst.series[0].images == control.series[0].images == 1
    assert worst.series[0].change > 2 * control.series[0].change


async def test_ctrl_c_ends_the_command_with_the_report_so_far(make_scan, tmp_path):
    engine = Engine()
    listener = MrdListener(engine, "127.0.0.1", 0)
    await listener.start()
    command = [sys.executable, "-c", "from echotrain.clients.cli import main; main()", "replay"]
    options = {
        "--to": "tcp://{}:{}".format(*listener.address),
        "--protocol": "mrd",
        "--sessions": "2",
        "--speed": "1",
        "--tr-ms": "5000",
        "--report": str(tmp_path / "report.json"),
    }
    arguments = [part for pair in options.items() for part in pair]
    process = await asyncio.create_subprocess_exec(
        *command, str(make_scan("a.h5")), *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        while sum(s["readouts"] > 0 for s in engine.status()["sessions"]) < 2:  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, _ = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await asyncio.to_thread(engine.drain, 5)
        await listener.close()
    assert process.returncode == 130
    assert b"2 interrupted, of 2 (stopped early)" in output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["interrupted"]
    assert [s["outcome"] for s in report["sessions"]] == ["interrupted"] * 2
