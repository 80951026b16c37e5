"""What a demonstration shows: a row a scan and slice, with truth, images, uncertainty and true error side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .demo_series import Pixels, Place, Run, best_estimate, overlay, uncertainty
from .montage import Window, montage, own_window

MOST_TILES = 24
"""In all rows together; there is at least one row."""
_GREY_LEVELS = (0.0, 255.0)
SMALLEST_TILE = 256
"""Pixels of a tile's longer side, at least: labels have to fit below it."""


class _Column(NamedTuple):
    """Tiles below each other."""

    name: str
    images: Mapping[Place, Pixels]
    window: Window


def demo_montage(path: Path, runs: Sequence[Run]) -> None:
    """Draw, for each scan, the phantom, each series of images, its uncertainty, the error of the best estimate, flags.

    All images have one window, that of the first scan, and so have errors and their standard deviation: they can be
    compared by eye. Widths of intervals are drawn where there is no standard deviation. A sample of an ensemble is left
    out beside flags, to keep tiles large.

    Parameters
    ----------
    path
        PNG file.
    runs
        What came of each scan; of the first at least one series.

    Raises
    ------
    ConfigurationError
        The file cannot be written.
    """
    drawn = [_columns(run) for run in runs]
    names = list(dict.fromkeys(column.name for columns in drawn for column in columns))
    windows: dict[str, Window] = {}
    for column in (column for columns in drawn for column in columns):
        windows.setdefault(column.name, column.window)
    rows = [
        (run, {column.name: column for column in columns}, place)
        for run, columns in zip(runs, drawn, strict=True)
        for place in sorted({place for column in columns for place in column.images})
    ]
    tiles, labels = [], []
    for run, columns, place in rows[: max(1, MOST_TILES // len(names))]:
        for number, name in enumerate(names):
            missing = name not in columns or place not in columns[name].images  # withheld, or did not come
            tiles.append(np.zeros((1, 1)) if missing else columns[name].images[place])
            labels.append(("no " if missing else "") + name)
            if number == 0:
                labels[-1] = f"{run.name or 'slice'} {place[0]}: {labels[-1]}"
    montage(
        tiles,
        path,
        columns=len(names) if len(names) > 1 else None,
        windows=[windows[name] for name in names] * (len(tiles) // len(names)),
        labels=labels,
        tile=max(SMALLEST_TILE, *(max(tile.shape) for tile in tiles)),
    )


def _columns(run: Run) -> list[_Column]:
    series, best = run.series, run.best
    estimate, spread, flags = best_estimate(series), uncertainty(series), overlay(series)
    columns = []
    if estimate is not None:
        window = _common(estimate.images)
        shown = [one for one in series if not one.is_map and not (flags and one.method.endswith("+sample"))]
        columns = [_Column(one.name, one.images, window) for one in shown]
        if best is not None:
            columns.insert(0, _Column("phantom", best.truth, window))
    errors = None if best is None else _Column("true error", best.errors, _common(best.errors))
    if spread is not None:
        comparable = errors if spread.quantity == "standard_deviation" else None
        window = _common(spread.images) if comparable is None else comparable.window
        columns.append(_Column(spread.name, spread.images, window))
    if errors is not None:
        columns.append(errors)
    if flags is not None:
        columns.append(_Column("flags", flags.images, _GREY_LEVELS))
    return columns


def _common(images: Mapping[Place, Pixels]) -> Window:
    """Return one window for images of any size."""
    return own_window(np.concatenate([pixels.ravel() for pixels in images.values()]))
