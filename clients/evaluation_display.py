"""An evaluation, shown on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ..models.evaluation.evaluate import Mean, Summary


def show_summaries(summaries: Iterable[Summary], refused: Mapping[str, str]) -> None:
    """Print a table for each data set and acceleration, and below them why some rows are missing."""
    console = Console()
    for (data, mask, acceleration), rows in groupby(summaries, lambda row: (row.data, row.mask, row.acceleration)):
        members = list(rows)
        slices = f"{members[0].slices} slice{'s' if members[0].slices > 1 else ''}"
        table = Table("method", "PSNR (dB)", "SSIM", "NRMSE", "s / slice", box=None)
        for row in members:
            figures = (_text(row.psnr, 2), _text(row.ssim, 3), _text(row.nrmse, 3), f"{row.seconds:.3f}")
            table.add_row(row.method, *figures)
        console.print(f"\n{data}, {mask} lines, R = {acceleration:g}, {slices}", highlight=False)
        console.print(table)
    for what, why in refused.items():
        console.print(f"{what}: {why}", markup=False)


def _text(mean: Mean, digits: int) -> str:
    value = f"{mean.value:.{digits}f}"
    if mean.interval is None:
        return value
    return f"{value} \\[{mean.interval[0]:.{digits}f}, {mean.interval[1]:.{digits}f}]"
