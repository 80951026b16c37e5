"""Quality against work, in a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .sampler_quality import Quality, Setting

_MARKS = "osD^v<>PX*ph"


def draw_quality(
    path: Path, title: str, points: Mapping[Setting, Quality], grounds: Mapping[str, float], ideal: float
) -> None:
    """Write a PNG: PSNR of the mean, and the samples' spread, over the evaluations for one sample.

    Parameters
    ----------
    path
        File; replaced if it is there.
    title
        What the slices are.
    points
        Means are taken over slices.
    grounds
        PSNR of other methods by name, dB: level lines.
    ideal
        Spread of samples of the true posterior: a level line.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes half a second to import
    from matplotlib.figure import Figure

    curves: dict[str, dict[int, list[Quality]]] = defaultdict(lambda: defaultdict(list))
    for setting, quality in points.items():
        curves[setting.sampler][setting.evaluations].append(quality)
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10)
    psnr, spread = figure.subplots(1, 2)
    for number, (sampler, found) in enumerate(curves.items()):
        evaluations = sorted(found)
        style = {"marker": _MARKS[number % len(_MARKS)], "markersize": 5, "color": f"C{number % 10}"}
        style["linestyle"] = "-" if number < 10 else "--"
        psnr.plot(evaluations, [np.mean([q.psnr for q in found[n]]) for n in evaluations], label=sampler, **style)
        spread.plot(evaluations, [np.mean([q.spread for q in found[n]]) for n in evaluations], **style)
    for name, value in grounds.items():
        psnr.axhline(value, color="grey", linestyle=":", label=name)
    spread.axhline(ideal, color="grey", linestyle=":", label="true posterior")
    psnr.set(xscale="log", xlabel="evaluations of the prior for one sample", ylabel="PSNR of the mean (dB)")
    spread.set(xscale="log", yscale="log", xlabel="evaluations of the prior for one sample")
    spread.set_ylabel("rms SD of samples / rms error of mean")
    spread.legend(fontsize=8)
    figure.legend(*psnr.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    figure.savefig(path, dpi=100)
