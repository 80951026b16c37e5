"""Artifact flags, shown on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ..models.flags.flag_model import FlagModel


def show_flags(model: FlagModel) -> None:
    """Print what flags are worth, and what each leans on most."""
    console = Console()
    table = Table("case", "figure", "value", "95 % interval", box=None)
    for metric in model.metrics:
        ends = f"{metric.interval[0]:.3f} to {metric.interval[1]:.3f}" if metric.interval else ""
        table.add_row(metric.case, metric.metric, f"{metric.value:.3f}", ends)
    console.print(table)
    if model.note:
        console.print(model.note, highlight=False, markup=False)
