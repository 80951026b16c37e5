"""What every test may use, and what no test may leave behind."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import time
from pathlib import Path

import pytest

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
