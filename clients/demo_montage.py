"""What a demonstration shows: a row a slice, with truth, images, uncertainty and true error side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .demo_series import Comparison, Pixels, Place, Series, best_estimate, uncertainty
from .montage import Window, montage, own_window

MOST_TILES = 24
"""In all rows together; there is at least one row."""
SMALLEST_TILE = 256
"""Pixels of a tile's longer side, at least: labels have to fit below it."""


class _Column(NamedTuple):
    """Tiles below each other."""

    name: str
    images: Mapping[Place, Pixels]
    window: Window


def demo_montage(path: Path, series: Sequence[Series], best: Comparison | None) -> None:
    """Draw the phantom, each series of images, the first map, and the error of the best estimate.

    All images have one window, and so have errors and their standard deviation, so that they can be compared by eye.
    Of several maps the first alone is drawn: widths of intervals look like standard deviations.

    Parameters
    ----------
    path
        PNG file.
    series
        What the chain gave, at least one series.
    best
        The best estimate beside the phantom; None without a phantom.

    Raises
    ------
    ConfigurationError
        The file cannot be written.
    """
    columns = _columns(series, best)
    places = sorted({place for column in columns for place in column.images})
    tiles, labels = [], []
    for place in places[: max(1, MOST_TILES // len(columns))]:
        for number, column in enumerate(columns):
            missing = place not in column.images  # an image of which not all series came
            tiles.append(np.zeros((1, 1)) if missing else column.images[place])
            labels.append(("no " if missing else "") + column.name)
            if number == 0:
                labels[-1] = f"slice {place[0]}: {labels[-1]}"
    montage(
        tiles,
        path,
        columns=len(columns) if len(columns) > 1 else None,
        windows=[column.window for column in columns] * (len(tiles) // len(columns)),
        labels=labels,
        tile=max(SMALLEST_TILE, *(max(tile.shape) for tile in tiles)),
    )


def _columns(series: Sequence[Series], best: Comparison | None) -> list[_Column]:
    estimate, spread = best_estimate(series), uncertainty(series)
    columns = []
    if estimate is not None:
        window = _common(estimate.images)
        columns = [_Column(one.name, one.images, window) for one in series if not one.is_map]
        if best is not None:
            columns.insert(0, _Column("phantom", best.truth, window))
    errors = None if best is None else _Column("true error", best.errors, _common(best.errors))
    if spread is not None:
        comparable = errors if spread.quantity == "standard_deviation" else None
        window = _common(spread.images) if comparable is None else comparable.window
        columns.append(_Column(spread.name, spread.images, window))
    if errors is not None:
        columns.append(errors)
    return columns


def _common(images: Mapping[Place, Pixels]) -> Window:
    """Return one window for images of any size."""
    return own_window(np.concatenate([pixels.ravel() for pixels in images.values()]))
