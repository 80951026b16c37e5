"""``echotrain demo``: a simulated scanner, an engine and the way between them, in one process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ..demo import DemoReport


WORST_CASE = "worst_case:model=admm-net,epsilon=0.02,iterations=5"
"""For the network that the chain ``trusted`` judges."""


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for images, montage and table.")] = Path(
        "demo"
    ),
    scan: Annotated[Path | None, typer.Option(help="An MRD file to use instead of the simulated scan.")] = None,
    chain: Annotated[
        str | None,
        typer.Option(help="Chain to use; by default trusted, and for --scan default.", show_default=False),
    ] = None,
    perturb: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:FIELD=VALUE,...",
            help="Send the scan once more, perturbed; by default, without --scan and --chain, a worst case; none: not.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Stream a scan over ZeroMQ to an engine in this process and look at the images.

    Without --scan, a simulated scanner measures its noise and then acquires a brain-like head: a slice, eight coils,
    fourfold accelerated. The phantom is known, so the montage shows beside images and their uncertainty the true error.
    The same scan comes once more, with two per cent of it changed so that the network's image changes most, to see
    what images, maps and flags make of it.
    """
    import asyncio

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    from ...engine.logs import configure_logging
    from ..demo import run_demo
    from ..perturbation_text import parse_perturbation

    configure_logging(level="warning")
    if perturb is None:
        perturb = WORST_CASE if scan is None and chain is None else "none"
    perturbation = None if perturb == "none" else parse_perturbation(perturb)
    chain = chain or ("trusted" if scan is None else "default")
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[what]}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: float, total: float | None, what: str) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total, what=what)
            progress.update(tasks[name], completed=done, total=total, what=what)

        report = asyncio.run(run_demo(output, scan, chain, show, perturbation))
    console.print(_table(report))
    console.print(f"images: {report.images_file}\nmontage: {report.montage_file}", highlight=False)


def _table(report: DemoReport) -> Table:
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for name, value in report.rows():
        table.add_row(name, value)
    return table
