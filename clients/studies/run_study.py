"""Compute the units of a study: in several processes, with the time that is left, each kept as it comes."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from ...models.studies.study import Study, Unit
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
    done = units_done(study, units, kept.rows)
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


def units_done(study: Study[Any], units: Sequence[Unit], rows: Sequence[Any]) -> set[Unit]:
    """Return the units that rows are of; a unit's rows are kept all or none."""
    names = [field.name for field in dataclasses.fields(study.row)][: len(units[0])]
    return {tuple(getattr(row, name) for name in names) for row in rows}


def _computed(study: Study[Any], units: Sequence[Unit], processes: int) -> Iterator[list[Any]]:
    if not units:
        return
    if processes == 1:
        yield from map(study.start(), units)
        return
    threads = max((os.cpu_count() or 1) // processes, 1)
    # a forked process would share the threads of torch, which do not survive that
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawning, initializer=_start, initargs=(study, threads)) as pool:
        try:
            for future in as_completed([pool.submit(_one, unit) for unit in units]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _start(study: Study[Any], threads: int) -> None:
    global _work  # noqa: PLW0603 - what a process has loaded stays with it
    from ..cli._threads import limit_threads

    limit_threads(threads)
    _work = study.start()


def _one(unit: Unit) -> list[Any]:
    assert _work is not None  # the initializer ran
    return _work(unit)
