"""What every test may use, and what no test may leave behind."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from echotrain.engine.messages import (
    Array,
    Close,
    ConfigName,
    ConfigText,
    Header,
    Image,
    Message,
    Query,
    Readouts,
    Response,
    Text,
    Waveform,
)
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, IMAGE_DTYPE, WAVEFORM_DTYPE

REPOSITORY = Path(__file__).resolve().parents[1]
GRACE_SECONDS = 3.0


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the shared scans and images; skips the test where they are not there."""
    named = os.environ.get("ECHOTRAIN_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not (folder / "raw").is_dir():
        place = "the folder that ECHOTRAIN_DATA names" if named else "../shared/data beside the repository"
        pytest.skip(
            f"the shared scans are missing: expected {place} to hold raw/*.h5 and images/*.h5 (ECHOTRAIN_DATA "
            "names another folder)"
        )
    return folder


def pytest_runtest_setup():
    """Draw the same numbers whatever tests ran before, also in fixtures that several tests share."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def nothing_left_behind(request):
    """Fail a test that leaves a thread that keeps the process alive, or a task of its event loop."""
    before = set(threading.enumerate())
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("no_task_left_behind")
    yield
    deadline = time.monotonic() + GRACE_SECONDS
    for thread in threading.enumerate():
        # the loop's own helper threads (asyncio.to_thread) end with the loop, after this fixture
        if thread not in before and not thread.daemon and not thread.name.startswith("asyncio_"):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                pytest.fail(f"the test left the thread {thread.name!r} running")


@pytest.fixture
async def no_task_left_behind():
    """Fail a test that leaves a task; requested for every asynchronous test."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=GRACE_SECONDS)
    names = sorted(task.get_name() for task in left if not task.done())
    if names:
        pytest.fail(f"the test left tasks running: {', '.join(names)}")


HEADER = b"""<?xml version="1.0"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
  <experimentalConditions><H1resonanceFrequency_Hz>63500000</H1resonanceFrequency_Hz></experimentalConditions>
  <encoding>
    <encodedSpace><matrixSize><x>16</x><y>8</y><z>1</z></matrixSize>
      <fieldOfView_mm><x>400</x><y>200</y><z>5</z></fieldOfView_mm></encodedSpace>
    <reconSpace><matrixSize><x>8</x><y>8</y><z>1</z></matrixSize>
      <fieldOfView_mm><x>200</x><y>200</y><z>5</z></fieldOfView_mm></reconSpace>
    <encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>7</maximum><center>4</center>
    </kspace_encoding_step_1></encodingLimits>
    <trajectory>cartesian</trajectory>
  </encoding>
</ismrmrdHeader>"""
"""Header of a tiny Cartesian scan: 8 lines of 16 samples, twofold oversampled."""


def make_readouts(count: int, coils: int = 2, samples: int = 16, dims: int = 0, seed: int = 0) -> Readouts:
    """Return readouts of random samples, numbered along the first phase encoding."""
    rng = np.random.default_rng(seed)
    headers = np.zeros(count, ACQUISITION_DTYPE)
    headers["version"] = 1
    headers["number_of_samples"] = samples
    headers["active_channels"] = headers["available_channels"] = coils
    headers["trajectory_dimensions"] = dims
    headers["center_sample"] = samples // 2
    headers["scan_counter"] = headers["idx"]["kspace_encode_step_1"] = np.arange(count)
    headers["user_float"] = rng.standard_normal((count, 8))
    data = rng.standard_normal((count, coils, samples, 2)).astype("<f4").view("<c8")[..., 0]
    trajectory = rng.standard_normal((count, samples, dims)).astype("<f4") if dims else None
    return Readouts(headers, data, trajectory)


def make_image(dtype: str = "<f4", meta: dict | None = None) -> Image:
    """Return an image of 2 channels and 1 x 3 x 4 pixels (z, y, x)."""
    header = np.zeros((), IMAGE_DTYPE)
    codes = {"<u2": 1, "<i2": 2, "<u4": 3, "<i4": 4, "<f4": 5, "<f8": 6, "<c8": 7, "<c16": 8}
    header["version"], header["data_type"], header["channels"], header["matrix_size"] = 1, codes[dtype], 2, (4, 3, 1)
    header["image_series_index"], header["field_of_view"] = 3, (40, 30, 5)
    pixels = np.arange(24).reshape(2, 1, 3, 4).astype(dtype)
    return Image(header, pixels, {"DataRole": "Image", "ImageType": ("DERIVED", "µ<&>")} if meta is None else meta)


def make_waveform(channels: int = 2, samples: int = 5) -> Waveform:
    """Return a piece of a waveform."""
    header = np.zeros((), WAVEFORM_DTYPE)
    header["version"], header["channels"], header["number_of_samples"] = 1, channels, samples
    header["waveform_id"], header["sample_time_us"], header["time_stamp"] = 1, 5.0, 7
    return Waveform(header, np.arange(channels * samples, dtype="<u4").reshape(channels, samples))


def make_messages() -> list[Message]:
    """Return one message or block of each kind that MRD carries, in an order that a session allows for the client's."""
    return [
        ConfigName("null"),
        Header(HEADER),
        Text("hello, µ"),
        make_readouts(3),
        make_readouts(2, coils=1, samples=4, dims=2, seed=1),
        make_waveform(),
        make_readouts(1, seed=2),
        make_image(),
        Array(np.arange(6, dtype="<c8").reshape(1, 2, 3)),
        Query(7, "version"),
        Response(7, "0.1"),
        ConfigText("[[chain]]"),
        Close(),
    ]


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """Makers of messages: ``readouts``, ``image``, ``waveform``, ``messages`` (one of each kind), and a ``header``."""
    return SimpleNamespace(
        readouts=make_readouts, image=make_image, waveform=make_waveform, messages=make_messages, header=HEADER
    )
