"""Coverage before and after calibration, and how well uncertainty follows errors, in each condition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .shift import ALPHA, DIFFUSION, SCD, SUPERVISED, ShiftRow
from .shift_report import Coverage

_BESIDE = 0.18  # conditions apart is 1
_SERIES = (
    (SUPERVISED, None, "C0o"),
    (DIFFUSION, None, "C1o"),
    (DIFFUSION, SCD, "C1D"),
    (SCD, None, "C2D"),
)
"""Ensemble, the ensemble whose slices are taken alone (SCD has few, that others are not to be compared with), and how
it looks."""


def draw_shift(rows: Sequence[ShiftRow], path: Path, title: str) -> None:
    """Write a PNG: coverage (hollow before calibration, filled after), Spearman's correlation, and PSNR.

    Parameters
    ----------
    rows
        Of at least one slice.
    path
        File; replaced if it is there.
    title
        What the slices are.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes half a second to import
    from matplotlib.figure import Figure

    found = Coverage(rows)
    conditions = list(dict.fromkeys(row.condition for row in rows))
    figure = Figure(figsize=(13, 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    coverage, correlation, quality = axes = figure.subplots(1, 3)
    for number, (name, like, look) in enumerate(_SERIES):
        colour, marker = look[:2], look[2]
        for at, condition in enumerate(conditions):
            place = at + (number - 1.5) * _BESIDE
            for axis, value, filled in (
                (coverage, "risk", False),
                (coverage, "calibrated", True),
                (correlation, "correlation", True),
                (quality, "psnr", True),
            ):
                mean = found.mean(name, condition, value, like)
                if mean is None:
                    continue
                level = 1 - mean.value if axis is coverage else mean.value
                low, high = mean.interval or (mean.value, mean.value)
                ends = [[max(mean.value - low, 0)], [max(high - mean.value, 0)]]
                error = ends[::-1] if axis is coverage else ends
                face = colour if filled else "none"
                axis.errorbar([place], [level], error, fmt=marker, color=colour, markerfacecolor=face, markersize=4)
    coverage.axhline(1 - ALPHA, color="grey", linestyle=":")
    for name, like, look in _SERIES:
        coverage.plot([], [], look, label=name if like is None else f"{name}, the slices of SCD")
    coverage.set_ylabel("coverage (hollow: before calibration)")
    correlation.set_ylabel("Spearman (|error|, SD) in the body")
    quality.set_ylabel("PSNR of the mean (dB)")
    for axis in axes:
        axis.set_xticks(range(len(conditions)), conditions, rotation=35, ha="right", fontsize=8)
    figure.legend(*coverage.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    figure.savefig(path, dpi=100)
