"""How a replay shows on a terminal: progress while it runs, and the report as a table."""

from __future__ import annotations

import asyncio
import time

from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from .replay_report import MIB, Latency, Outcome, ReplayReport
from .replay_session import Tally
from .replay_stress_display import stress_tables

_PERIOD_SECONDS = 0.25
_SHOWN = 10  # failed sessions and differing images; the JSON report has them all


async def show_progress(tally: Tally, console: Console) -> None:
    """Show sessions done, readouts/s and MiB/s until cancelled; nothing where the console is no terminal."""
    if not console.is_terminal:
        return
    columns = (TextColumn("sessions"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("reading", total=None)
        readouts, nbytes, then = tally.readouts, tally.nbytes, time.perf_counter()
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            now = time.perf_counter()
            rate, volume = (tally.readouts - readouts) / (now - then), (tally.nbytes - nbytes) / MIB / (now - then)
            readouts, nbytes, then = tally.readouts, tally.nbytes, now
            text = f"{rate:,.0f} readouts/s, {volume:,.0f} MiB/s, {tally.images} images"
            failed = f", [red]{tally.failed} failed[/red]" if tally.failed else ""
            progress.update(task, completed=tally.ended, total=tally.sessions or None, description=text + failed)


def render(report: ReplayReport) -> Group:
    """Return the report as a table, followed by what went wrong."""
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in _rows(report):
        table.add_row(name, Text(value))
    parts: list[Text | Table] = [table, *stress_tables(report.stress)]
    failed = [s for s in report.sessions if s.outcome is Outcome.FAILED]
    parts += _list("failed sessions", [f"{s.name}, {s.file}: {s.code}: {s.error}" for s in failed])
    parts += _list("images that differ", [f"{d.file}: {d.image}: {d.text}" for d in report.differences])
    return Group(*parts)


def _rows(report: ReplayReport) -> list[tuple[str, str]]:
    counts = ", ".join(
        f"{report.count(o)} {o.value}" for o in Outcome if report.count(o) or o is not Outcome.INTERRUPTED
    )
    rows = [("engine", report.target), ("speed", report.speed)]
    rows += [("file", f"{f.file}: {f.readouts} readouts, {f.nbytes / MIB:.1f} MiB, {f.pace}") for f in report.files]
    rows += [
        ("sessions", f"{counts}, of {report.sessions_planned}" + (" (stopped early)" if report.interrupted else "")),
        ("seconds", f"{report.seconds:.2f}"),
        ("readouts", f"{report.readouts} sent, {report.readouts_per_second:,.0f} a second"),
        ("MiB", f"{report.nbytes / MIB:.1f} sent, {report.mib_per_second:,.1f} a second"),
        ("images", f"{report.images} received"),
        ("last readout to image", _latency(report.latency)),
    ]
    if report.lateness_seconds is not None:
        rows.append(("behind schedule", f"{report.lateness_seconds * 1e3:.1f} ms at most"))
    if report.images_without_readouts:
        rows.append(("without latency", f"{report.images_without_readouts} images that match no readout sent"))
    rows.append(("differing images", str(len(report.differences))))
    rows += [(f"error {kind.code}", f"{kind.sessions} sessions, e.g. {kind.example}") for kind in report.errors]
    return rows


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return "no image to time"
    values = {"p50": latency.p50, "p95": latency.p95, "p99": latency.p99, "max": latency.max}
    return ", ".join(f"{name} {value * 1e3:.1f} ms" for name, value in values.items()) + f" ({latency.images} images)"


def _list(title: str, lines: list[str]) -> list[Text | Table]:
    if not lines:
        return []
    more = [f"  and {len(lines) - _SHOWN} more; --report has them all"] if len(lines) > _SHOWN else []
    return [Text(f"\n{title}", style="bold red"), *(Text(f"  {line}") for line in lines[:_SHOWN]), *map(Text, more)]
