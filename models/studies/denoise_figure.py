"""Quality against the number of denoising steps, and how the mean of samples goes to one step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .denoise import IMAGES, SCHEDULES, DenoiseRow


def draw_denoise(rows: Sequence[DenoiseRow], path: Path, title: str) -> None:
    """Write a PNG: PSNR over steps for each noise level, then distance from one step over the number of samples.

    Parameters
    ----------
    rows
        Of at least one image; those of exact priors are not drawn.
    path
        File; replaced if it is there.
    title
        What was denoised, and by what.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes half a second to import
    from matplotlib.figure import Figure

    images = [row for row in rows if row.data == IMAGES]
    levels = sorted({row.level for row in images})
    figure = Figure(figsize=(3.3 * (len(levels) + 1) + 1.8, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    *panels, approach = figure.subplots(1, len(levels) + 1, squeeze=False)[0]
    counts: list[int] = []
    for level, axis in zip(levels, panels, strict=True):
        here = [row for row in images if row.level == level and row.prediction in {"", "x0"}]

        def mean(method: str, schedule: str = "", steps: int = 1, here: list[DenoiseRow] = here) -> float:
            wanted = (method, schedule, steps)
            return float(np.mean([row.psnr for row in here if (row.method, row.schedule, row.steps) == wanted]))

        one, steps = mean("one step"), sorted({row.steps for row in here if row.method == "deterministic"})
        for number, schedule in enumerate(SCHEDULES):
            # uniform, which is almost the same as linear, would hide it
            style = {"linewidth": 4, "alpha": 0.4} if schedule == "linear" else {"linewidth": 1.5}
            for method, line in (("deterministic", "-"), ("stochastic", "--")):
                curve = [one, *(mean(method, schedule, n) for n in steps)]
                axis.plot([1, *steps], curve, f"C{number}o{line}", markersize=3, label=f"{method}, {schedule}", **style)
        axis.axhline(mean("sure"), color="grey", linestyle=":", label="SURE denoiser")
        axis.set(xscale="log", xlabel="steps", title=f"noise {level:g} (noisy {mean('noisy', steps=0):.1f} dB)")
        axis.title.set_fontsize(9)
    panels[0].set_ylabel("PSNR (dB)")
    for number, level in enumerate(levels):
        means = [row for row in images if row.level == level and row.method == "mean"]
        counts = sorted({row.samples for row in means})
        squared = [np.mean([row.distance**2 for row in means if row.samples == k]) for k in counts]
        approach.plot(counts, np.sqrt(squared), f"C{number + 5}o-", markersize=3, label=f"noise {level:g}")
        falling = np.sqrt(squared[0] / np.array(counts))
        approach.plot(counts, falling, color="grey", linestyle=":", label=None if number else "1 / root of K")
    approach.set(xscale="log", yscale="log", xlabel="samples K", ylabel="distance from one step / noise")
    approach.set_title("mean of K stochastic samples", fontsize=9)
    approach.set_xticks(counts, map(str, counts))
    approach.minorticks_off()
    approach.legend(fontsize=7)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=7)
    figure.savefig(path, dpi=100)
