"""Reconstructions of one slice beside the reference, each above its error."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from .metrics import fitted_magnitude, scores

ERROR_SCALE = 5
"""Errors are shown so many times brighter than images."""
_COLUMNS = 6  # at most
_TILE = 1.6  # inch
_DPI = 100
_WHITE = 0.998  # quantile of the reference that is shown white
_GREYS = 64  # tell a lesion from none as well as 256 do, in half the file


def draw_comparison(path: Path, title: str, reference: Tensor, images: Mapping[str, Tensor]) -> None:
    """Write a PNG: the reference, then each image above its error map, with PSNR and NRMSE beneath.

    Parameters
    ----------
    path
        File; replaced if it is there.
    title
        What the slice is.
    reference
        (y, x) real.
    images
        (y, x) complex or real, by the names of the methods; each is scaled to the reference by least squares.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes half a second to import
    from matplotlib.figure import Figure

    reference = reference.abs().double()
    white = float(torch.quantile(reference, _WHITE))
    panels: list[tuple[str, Tensor, Tensor | None, str]] = [("reference", reference, None, "")]
    for name, image in images.items():
        fitted = fitted_magnitude(image[None], reference[None])[0]
        found = scores(image[None], reference[None])
        text = f"{float(found.psnr):.1f} dB, NRMSE {float(found.nrmse):.3f}"
        panels.append((name, fitted, ERROR_SCALE * (fitted - reference).abs(), text))
    rows = -(-len(panels) // _COLUMNS)
    columns = -(-len(panels) // rows)
    tall = reference.shape[0] / reference.shape[1]
    figure = Figure(figsize=(columns * _TILE, rows * (2 * tall * _TILE + 0.3) + 0.25), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{title}; errors x {ERROR_SCALE}", fontsize=9)
    axes = figure.subplots(2 * rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for number, (name, image, error, text) in enumerate(panels):
        row, column = divmod(number, columns)
        above, below = axes[2 * row][column], axes[2 * row + 1][column]
        above.imshow(image.numpy(), cmap="gray", vmin=0, vmax=white)
        above.set_title(name, fontsize=8)
        if error is not None:
            below.imshow(error.numpy(), cmap="gray", vmin=0, vmax=white)
            below.text(0.5, -0.02, text, ha="center", va="top", fontsize=7, transform=below.transAxes)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as picture:
        picture.convert("L").quantize(_GREYS).save(path, optimize=True)
