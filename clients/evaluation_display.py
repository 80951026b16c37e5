"""An evaluation, shown on a terminal or written as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .studies.page import markdown_table

if TYPE_CHECKING:
    from ..models.evaluation.summary import Ahead, Mean, Summary

_WIDE = 150
"""Letters in a line where no terminal says how many there are."""


@dataclass(frozen=True)
class Block:
    """One data set at one acceleration, in words."""

    title: str
    header: list[str]
    rows: list[list[str]]
    notes: list[str]


def show_summaries(summaries: Iterable[Summary], refused: Mapping[str, str]) -> None:
    """Print a table for each data set and acceleration, and below them why some rows are missing."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, _WIDE))
    for block in blocks(summaries):
        console.print(f"\n{block.title}", highlight=False, markup=False)
        table = Table(*block.header, box=None)
        for row in block.rows:
            table.add_row(*(escape(cell) for cell in row))
        console.print(table)
        for note in block.notes:
            console.print(note, highlight=False, markup=False)
    for what, why in refused.items():
        console.print(f"{what}: {why}", markup=False)


def markdown(summaries: Iterable[Summary], refused: Mapping[str, str], made: str) -> str:
    """Return the tables as Markdown.

    Parameters
    ----------
    summaries, refused
        As ``show_summaries``.
    made
        By which command, when, on what machine.
    """
    parts = [made]
    for block in blocks(summaries):
        parts += [f"**{block.title}**", markdown_table(block.header, block.rows)]
        parts += ["\n".join(f"- {note}" for note in block.notes)] if block.notes else []
    parts += ["\n".join(f"- {what}: {why}" for what, why in refused.items())] if refused else []
    return "\n\n".join(parts)


def blocks(summaries: Iterable[Summary]) -> Iterator[Block]:
    """Put summaries into words, a block for each data set and acceleration."""
    for (data, mask, acceleration), group in groupby(summaries, lambda row: (row.data, row.mask, row.acceleration)):
        members = list(group)
        most = max(row.slices for row in members)
        title = f"{data}, {mask} lines, R = {acceleration:g}, {most} slice{'s' if most > 1 else ''}"
        over_psnr = _over(row.psnr_ahead for row in members)
        over_ssim = _over(row.ssim_ahead for row in members)
        header = ["method", "PSNR (dB)", f"over {over_psnr}", "SSIM", f"over {over_ssim}", "NRMSE", "s / slice"]
        rows = [_row(row, most) for row in members]
        yield Block(title, [*header, "out of range"], rows, _notes(members))


def _row(row: Summary, most: int) -> list[str]:
    return [
        row.method if row.slices == most else f"{row.method} ({row.slices} slices)",
        _text(row.psnr, 2),
        "" if row.psnr_ahead is None else _text(row.psnr_ahead.by, 2, "+"),
        _text(row.ssim, 3),
        "" if row.ssim_ahead is None else _text(row.ssim_ahead.by, 3, "+"),
        _text(row.nrmse, 3),
        "" if row.seconds is None else f"{row.seconds:.2f}",
        _flagged(row),
    ]


def _over(ahead: Iterable[Ahead | None]) -> str:
    return next((a.of for a in ahead if a is not None), "classical")


def _flagged(row: Summary) -> str:
    if not row.flagged:
        return ""
    return "yes" if row.flagged == row.slices else f"{row.flagged} of {row.slices}"


def _notes(rows: Sequence[Summary]) -> list[str]:
    """Return what is out of range, once for all methods that it is said of."""
    said: dict[str, list[str]] = {}
    for row in rows:
        if row.flagged:
            said.setdefault(f"{row.out_of_range}{' and others' if row.flagged > 1 else ''}", []).append(row.method)
    return [f"out of range of {', '.join(methods)}: {reason}" for reason, methods in said.items()]


def _text(mean: Mean, digits: int, sign: str = "") -> str:
    value = f"{mean.value:{sign}.{digits}f}"
    if mean.interval is None:
        return value
    return f"{value} [{mean.interval[0]:{sign}.{digits}f}, {mean.interval[1]:{sign}.{digits}f}]"
