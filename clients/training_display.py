"""How a training shows itself: a progress bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..models.training.curves import CurvePoint
    from ..models.training.trainer import Step, Watcher

_LINE_SECONDS = 30.0


class Lines:
    """A line for each validation, and for a step twice a minute."""

    def __init__(self) -> None:
        self._shown = time.monotonic()

    def stepped(self, step: Step) -> None:
        """Show a step, if the last line is old enough."""
        if time.monotonic() - self._shown >= _LINE_SECONDS:
            self._shown = time.monotonic()
            typer.echo(f"step {step.number} of {step.last}: {_figures(step)}, {_left(step)}")

    def validated(self, point: CurvePoint, last: int) -> None:
        """Show a validation."""
        typer.echo(_validation(point, last))


class Bar:
    """A progress bar, with a line above it for each validation."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("train", total=None, figures="")

    def stepped(self, step: Step) -> None:
        """Move the bar."""
        self._progress.update(
            self._task, completed=step.number, total=step.last, figures=f"{_figures(step)}, {_left(step)}"
        )

    def validated(self, point: CurvePoint, last: int) -> None:
        """Show a validation."""
        self._progress.update(self._task, completed=point.step, total=last)
        self._progress.console.print(_validation(point, last), highlight=False)


@contextmanager
def training_display() -> Iterator[Watcher]:
    """Yield what suits standard output."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console()
    if not console.is_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield Bar(progress)


def _figures(step: Step) -> str:
    return f"loss {step.loss:.4f}, rate {step.learning_rate:.2e}"


def _left(step: Step) -> str:
    if step.seconds_left is None:
        return "time unknown"
    minutes, seconds = divmod(round(step.seconds_left), 60)
    return f"{minutes}:{seconds:02d} left"


def _validation(point: CurvePoint, last: int) -> str:
    loss = "" if point.loss is None else f"mean loss {point.loss:.4f}, "
    return f"step {point.step} of {last}, {point.seconds:.0f} s: {loss}validation {point.psnr:.2f} dB"
