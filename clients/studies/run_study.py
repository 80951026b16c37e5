"""Compute the units of a study: in several processes, with the time that is left, each kept as it comes."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

from ...engine.allocator import keep_freed_memory
from ...models.studies.study import Study, Unit
from ..cli._threads import POOLS
from .rows_file import RowsFile

_work: Callable[[Unit], list[Any]] | None = None  # of this process, where it is one of several


def run_study(study: Study[Any], kept: RowsFile, *, processes: int) -> None:
    """Compute what is not kept yet.

    Parameters
    ----------
    study
        What to compute.
    kept
        Its rows so far; takes up those of each unit when it is finished.
    processes
        At least 1. With several, each computes with its share of the processors' threads.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    units = study.units()
    unit_of = _unit_of(study, len(units[0]))
    done = {unit_of(row) for row in kept.rows}  # of a unit's rows all are kept, or none
    left = [unit for unit in units if unit not in done]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # the speed is that of the whole run: units are few and slow
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), speed_estimate_period=1e9) as progress:
        task = progress.add_task(study.name, total=len(units), completed=len(units) - len(left))
        before = time.monotonic()
        for rows in _computed(study, left, min(processes, max(len(left), 1))):
            kept.add(rows, time.monotonic() - before)
            before = time.monotonic()
            progress.advance(task)
    order = {unit: number for number, unit in enumerate(units)}
    if left:
        kept.arrange(lambda row: order[unit_of(row)])


def _unit_of(study: Study[Any], length: int) -> Callable[[Any], Unit]:
    names = [field.name for field in dataclasses.fields(study.row)][:length]
    return lambda row: tuple(getattr(row, name) for name in names)


def _computed(study: Study[Any], units: Sequence[Unit], processes: int) -> Iterator[list[Any]]:
    if not units:
        return
    if processes == 1:
        keep_freed_memory()  # one slice is like another: a quarter of the time was spent on memory that was new
        yield from map(study.start(), units)
        return
    # a forked process would share the threads of torch, which do not survive that
    spawning = multiprocessing.get_context("spawn")
    with (
        _threads_each(max((os.cpu_count() or 1) // processes, 1)),
        ProcessPoolExecutor(processes, spawning, initializer=_start, initargs=(study,)) as pool,
    ):
        try:
            for future in as_completed([pool.submit(_one, unit) for unit in units]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _threads_each(threads: int) -> Iterator[None]:
    """Have processes that begin meanwhile compute with so many threads: they take over the environment."""
    before = {name: os.environ.get(name) for name in POOLS}
    os.environ.update(dict.fromkeys(POOLS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _start(study: Study[Any]) -> None:
    global _work  # noqa: PLW0603 - what a process has loaded stays with it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_freed_memory()
    _work = study.start()


def _end_with_parent() -> None:
    """Do not outlive the process that was to take the rows: where it is killed, nobody else ends this one."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is one of its processes
    parent.join()
    os._exit(1)


def _one(unit: Unit) -> list[Any]:
    assert _work is not None  # the initializer ran
    return _work(unit)
