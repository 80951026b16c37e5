"""Change and quality of reconstructions over the size of what they were perturbed by."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from .transfer import NONE, TransferRow

_MARKS = "osD^v<>"


def draw_transfer(rows: Sequence[TransferRow], path: Path, title: str) -> None:
    """Write a PNG: for each acceleration a row of panels, for each source change and loss of SSIM over epsilon.

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

    accelerations = sorted({row.acceleration for row in rows})
    sources = list(dict.fromkeys(row.source for row in rows if row.source != NONE))
    methods = list(dict.fromkeys(row.method for row in rows))
    values = (("change", "change of the image"), ("ssim_lost", "loss of SSIM"))
    figure = Figure(figsize=(2.6 * len(sources) * 2 + 1.5, 2.6 * len(accelerations) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    axes = figure.subplots(len(accelerations), 2 * len(sources), squeeze=False, sharex=True)
    for (row, r), (column, (source, (value, name))) in product(
        enumerate(accelerations), enumerate((source, value) for value in values for source in sources)
    ):
        axis = axes[row, column]
        axis.sharey(axes[row, column // len(sources) * len(sources)])
        for number, method in enumerate(methods):
            here = [x for x in rows if (x.acceleration, x.method) == (r, method) and x.source in {source, NONE}]
            epsilons = sorted({x.epsilon for x in here})
            means = [np.mean([getattr(x, value) for x in here if x.epsilon == epsilon]) for epsilon in epsilons]
            axis.plot(epsilons, means, f"C{number}-", marker=_MARKS[number % len(_MARKS)], markersize=3, label=method)
        axis.set_title(f"{name}, by {source}" if not row else "", fontsize=8)
        if column % len(sources) == 0:
            axis.set_ylabel(f"R = {r:g}: {name}", fontsize=8)
        if row == len(accelerations) - 1:
            axis.set_xlabel("epsilon", fontsize=8)
        axis.tick_params(labelsize=7)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    figure.savefig(path, dpi=100)
