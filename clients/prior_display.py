"""Figures of a prior, shown on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ..models.model_card import Metric


def show_prior(metrics: Iterable[Metric]) -> None:
    """Print a table of a card's figures."""
    table = Table("case", "metric", "value", "95 % interval", box=None)
    for metric in metrics:
        interval = "" if metric.interval is None else f"{metric.interval[0]:.3g} to {metric.interval[1]:.3g}"
        table.add_row(metric.case, metric.metric, f"{metric.value:.4g}", interval)
    Console().print(table, highlight=False)
