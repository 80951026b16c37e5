"""Quality against evaluations of the prior, and against seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .samplers import SamplerRow

_MARKS = "osD^v<>PX*phd"


def draw_samplers(rows: Sequence[SamplerRow], path: Path, title: str) -> None:
    """Write a PNG: PSNR of the mean over evaluations, over seconds a sample, and seconds over evaluations.

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

    figure = Figure(figsize=(14, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    by_work, by_time, times = figure.subplots(1, 3)
    methods = list(dict.fromkeys(row.method for row in rows if row.evaluations))
    for number, method in enumerate(methods):
        budgets = sorted({row.evaluations for row in rows if row.method == method})
        groups = [[row for row in rows if (row.method, row.evaluations) == (method, n)] for n in budgets]
        taken = [group[0].taken for group in groups]
        psnr = [float(np.mean([row.psnr for row in group])) for group in groups]
        seconds = [float(np.median([row.seconds for row in group])) for group in groups]
        style = {"marker": _MARKS[number % len(_MARKS)], "markersize": 5, "color": f"C{number % 10}"}
        style["linestyle"] = "-" if number < 10 else "--"
        by_work.plot(taken, psnr, label=method, **style)
        by_time.plot(seconds, psnr, **style)
        times.plot(taken, seconds, **style)
    for number, ground in enumerate(dict.fromkeys(row.method for row in rows if not row.evaluations)):
        group = [row for row in rows if row.method == ground]
        level = float(np.mean([row.psnr for row in group]))
        line = {"color": "grey", "linestyle": ("-", "--", "-.", ":")[number % 4], "linewidth": 1}
        by_work.axhline(level, label=ground, **line)
        at = float(np.median([row.seconds for row in group]))
        by_time.plot([at], [level], "k", marker="+", linestyle="")
        by_time.annotate(ground, (at, level), fontsize=7)
    by_work.set(xscale="log", xlabel="evaluations of the prior for one sample", ylabel="PSNR of the mean (dB)")
    by_time.set(xscale="log", xlabel="seconds for one sample", ylabel="PSNR of the mean (dB)")
    times.set(xscale="log", yscale="log", xlabel="evaluations of the prior", ylabel="seconds for one sample")
    figure.legend(*by_work.get_legend_handles_labels(), loc="outside right center", fontsize=7)
    figure.savefig(path, dpi=100)
