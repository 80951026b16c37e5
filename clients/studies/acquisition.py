"""Simulated acquisitions beside real ones: distributions of what phase, coils, noise and k-space are like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...models.evaluation.acquisition_statistics import acquisition_statistics, drawn_acquisition
from ...models.shared_data import shared_data
from ...models.simulation.acquisition_range import AcquisitionRange
from ..evaluation_cases import SCANS
from ..fully_sampled import fully_sampled_kspace
from .page import markdown_table
from .subgroups import TRAINING, spread

Statistics = dict[str, float]
BEFORE = AcquisitionRange()
"""What the first generation was trained on: smooth phase alone, the greys of the images, up to the whole head."""
SHAPE = (256, 216)
"""Matrix of simulated scans, that of the real brain: statistics a pixel depend on it."""
SNR = 30.0
"""Of simulated scans, near the real brain's: local phase depends on it."""
_QUANTILES = (0.1, 0.5, 0.9)
_SEED = 0
_SHOWN = 0.95  # quantile: outliers, infinite g-factors too, stand beyond the right end
_BINS = 25


def real_statistics() -> dict[str, Statistics]:
    """Return the statistics of the real scans by name."""
    kspaces = {name: fully_sampled_kspace(shared_data() / "raw" / f"{name}.h5") for name in SCANS}
    return {name: acquisition_statistics(kspace) for name, kspace in kspaces.items()}


def simulated_statistics(drawn: AcquisitionRange, count: int) -> Iterator[Statistics]:
    """Simulate scans of training images, evenly spread, and yield the statistics of each.

    Matrix and SNR are those of all, not drawn. The power at the edges of k-space is that of the magnitude image, in
    which noise has no part.
    """
    for number, pixels in enumerate(spread(TRAINING, count).images):
        rng = np.random.default_rng([_SEED, number])
        yield acquisition_statistics(*drawn_acquisition(pixels, drawn, SHAPE, SNR, rng))


def acquisition_table(real: Mapping[str, Statistics], simulated: Mapping[str, Sequence[Statistics]]) -> str:
    """Return a Markdown table: median and, in brackets, 10 % and 90 % quantile of what is simulated; real scans."""
    first = next(iter(real.values()))
    rows = []
    for name in first:
        columns = []
        for many in simulated.values():
            low, middle, high = np.quantile([one[name] for one in many], _QUANTILES, method="nearest")
            columns.append(f"{middle:.3g} [{low:.3g}, {high:.3g}]")
        rows.append([name, *columns, *(f"{one[name]:.3g}" for one in real.values())])
    return markdown_table(["", *simulated, *real], rows)


def draw_acquisition(path: Path, real: Mapping[str, Statistics], simulated: Mapping[str, Sequence[Statistics]]) -> None:
    """Write a PNG: the distribution of each statistic among simulated scans, and the three real scans as lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes half a second to import
    from matplotlib.figure import Figure

    names = list(next(iter(real.values())))
    columns = 4
    figure = Figure(figsize=(14, 2.3 * -(-len(names) // columns)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(-(-len(names) // columns), columns).ravel()
    for axis in axes[len(names) :]:
        axis.axis("off")
    for name, axis in zip(names, axes, strict=False):
        samples = [np.array([one[name] for one in many]) for many in simulated.values()]
        lines = [one[name] for one in real.values()]
        shown = np.concatenate(
            [*(np.clip(one, *np.quantile(one, (0, _SHOWN), method="nearest")) for one in samples), lines]
        )
        shown = shown[np.isfinite(shown)]
        edges = np.linspace(shown.min(), max(shown.max(), shown.min() + 1e-9), _BINS)
        for colour, (label, values) in enumerate(zip(simulated, samples, strict=True)):
            axis.hist(values[np.isfinite(values)], edges, color=f"C{colour}", alpha=0.5, label=label)
        for style, (label, value) in zip(("-", "--", ":"), zip(real, lines, strict=True), strict=True):
            axis.axvline(value, color="black", linestyle=style, linewidth=1.5, label=label)
        margin = edges[1] - edges[0]
        axis.set_xlim(edges[0] - margin, edges[-1] + margin)
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=8)
        axis.set_yticks([])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
