"""A calibration, shown on a terminal."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ..models.uncertainty.calibration_record import CalibrationRecord


def show_calibration(record: CalibrationRecord) -> None:
    """Print what was found, and what the intervals are like before and after on subjects that it never saw."""
    console = Console()
    data = record.data
    console.print(
        f"{record.method}: {record.construction} x {record.scale:.3g}; risk {record.risk:.3f} on {data.slices} slices "
        f"of {len(data.subjects)} subjects, at most {record.bound:.3f} with a confidence of {1 - record.delta:g}",
        highlight=False,
        markup=False,
    )
    for case, metrics in groupby(record.metrics, lambda metric: metric.case):
        table = Table(case, "mean", "95 % interval", box=None)
        for metric in metrics:
            ends = f"{metric.interval[0]:.3f} to {metric.interval[1]:.3f}" if metric.interval else ""
            table.add_row(metric.metric, f"{metric.value:.3f}", ends)
        console.print(table)
