"""An evaluation that may be interrupted: every method on every case, but for what is known already."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..models.evaluation.evaluate import Result, evaluate, judged_again
from ..models.evaluation.method import Method
from .evaluation_cases import Cases, Planned
from .evaluation_file import append_results, read_results

if TYPE_CHECKING:
    import torch
    from rich.progress import Task

_LINE_SECONDS = 60.0
"""A line now and then, where no terminal shows a bar."""
_Key = tuple[str, str, str, str, float, int]


@dataclass(frozen=True)
class Evaluation:
    """What came out."""

    results: list[Result]
    """Case by case, methods in the order they were given."""
    refused: dict[str, str]
    """Why methods were left out, by method and data."""


def run_evaluation(
    cases: Cases, methods: Sequence[Method], device: torch.device, kept: Path | None = None
) -> Evaluation:
    """Evaluate, and show the progress.

    Parameters
    ----------
    cases
        On what.
    methods
        What; one that refuses a case is left out for the rest of that data set and acceleration.
    device
        Where measurements are to be.
    kept
        CSV file of rows from earlier, which are not computed again where method, settings, weights and case are the
        same; where flags are others now, it is said anew whether the case is out of range. New rows are added, case by
        case. None: nothing is kept.

    Raises
    ------
    ConfigurationError
        Data are missing, or the file holds something else.
    ModelError
        A model cannot reconstruct.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    known = {_key(result): result for result in ([] if kept is None else read_results(kept))}
    planned = list(cases.planned())
    waiting = [case for case in planned if any(not _done(known, case, method) for method in methods)]
    refused: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # cases take long and unevenly: what is left is told by all that were done, not by the last half minute
    with Progress(
        *columns,
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        speed_estimate_period=1e9,
    ) as progress:
        task, shown = progress.add_task("evaluating", total=len(waiting)), time.monotonic()
        for place in waiting:
            progress.update(task, description=f"{place.data}, R = {place.acceleration:g}")
            case = place.make()
            for method in methods:
                what = f"{method.names[0]}, {place.data}, R={place.acceleration:g}"
                if what in refused or _done(known, place, method):
                    continue
                before = [known[key] for key in _keys(place, method) if key in known]
                try:
                    if len(before) == len(method.names):
                        found = judged_again(method, case, before)
                    else:
                        found, _ = evaluate(method, case, device)
                except ValueError as error:  # some methods cannot do with some sampling
                    refused[what] = str(error)
                    continue
                known.update((_key(result), result) for result in found)
                if kept is not None:
                    append_results(kept, found)
            progress.advance(task)
            if not progress.console.is_terminal and time.monotonic() - shown >= _LINE_SECONDS:
                shown = time.monotonic()
                _tell(progress.tasks[task])
    keys = (key for case in planned for method in methods for key in _keys(case, method))
    return Evaluation([known[key] for key in keys if key in known], refused)


def _tell(task: Task) -> None:
    left = "" if task.time_remaining is None else f", {task.time_remaining / 60:.0f} minutes left"
    typer.echo(f"{task.completed:.0f} of {task.total:.0f} cases{left}; {task.description}", err=True)


def _key(result: Result) -> _Key:
    return result.method, result.made_by, result.data, result.mask, result.acceleration, result.number


def _keys(case: Planned, method: Method) -> list[_Key]:
    place = (case.data, str(case.mask), float(case.acceleration), case.number)
    return [(name, method.made_by, *place) for name in method.names]


def _done(known: dict[_Key, Result], case: Planned, method: Method) -> bool:
    return all(key in known and known[key].judged_by == method.judged_by for key in _keys(case, method))
