"""Images side by side in a picture, in greys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

_TILE = 1.6  # inch
_LINE = 0.17  # inch, of text
_DPI = 100
_WHITE = 0.998  # quantile of an image that is shown white
_GREYS = 64  # tell a lesion from none as well as 256 do, in half the file


@dataclass(frozen=True)
class Panel:
    """One image of a picture."""

    image: Tensor
    """(y, x) real, the same size in all panels of a picture."""
    white: float
    """Value that is shown white; 0 is black."""
    title: str = ""
    """Above the image."""
    caption: str = ""
    """Beneath it."""


def white_of(reference: Tensor) -> float:
    """Return the value that an image (y, x), and what is compared with it, is to be shown white at."""
    return float(torch.quantile(reference.double(), _WHITE))


def draw_panels(path: Path, title: str, rows: Sequence[Sequence[Panel | None]], labels: Sequence[str] = ()) -> None:
    """Write a PNG of rows of panels.

    Parameters
    ----------
    path
        File; replaced if it is there.
    title
        Above all.
    rows
        As many panels in each; None leaves a place free. The first is not free.
    labels
        Left of each row, read upwards; none by default.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes half a second to import
    from matplotlib.figure import Figure

    first = rows[0][0]
    assert first is not None
    tall = first.image.shape[0] / first.image.shape[1]
    columns, margin = len(rows[0]), max((label.count("\n") + 1 for label in labels), default=0)
    lines = sum(any(p and p.title for p in row) + any(p and p.caption for p in row) for row in rows)
    height = len(rows) * tall * _TILE + lines * _LINE + 0.25
    figure = Figure(figsize=(columns * _TILE + margin * _LINE, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for panel, axis in zip((p for row in rows for p in row), axes.flat, strict=True):
        if panel is not None:
            axis.imshow(panel.image.numpy(), cmap="gray", vmin=0, vmax=panel.white)
            axis.set_title(panel.title, fontsize=8)
            axis.text(0.5, -0.02, panel.caption, ha="center", va="top", fontsize=7, transform=axis.transAxes)
    for label, row in zip(labels, axes, strict=bool(labels)):
        middle = {"ha": "right", "va": "center", "multialignment": "center"}
        row[0].text(-0.03, 0.5, label, rotation="vertical", fontsize=8, transform=row[0].transAxes, **middle)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as picture:
        picture.convert("L").quantize(_GREYS).save(path, optimize=True)
