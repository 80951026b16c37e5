"""Images side by side in one PNG, labelled with name and window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..engine.errors import ConfigurationError

Window = tuple[float, float]
"""(lower, upper): what is shown black and white."""

_GAP = 4  # pixels between tiles
_FONT = 12  # pixels, at least; a fourteenth of a tile, so that labels can be read where a page shows it smaller


def montage(
    images: Sequence[NDArray[Any]],
    path: str | Path,
    *,
    columns: int | None = None,
    windows: Sequence[Window | None] = (),
    labels: Sequence[str] = (),
    tile: int | None = None,
) -> None:
    """Write images as grey tiles.

    Parameters
    ----------
    images
        (y, x) each, any size, real or complex (shown as magnitude), row 0 on top. Values that are not finite are red.
    path
        PNG file.
    columns
        Tiles in a row; by default as many as make it about twice as wide as high.
    windows
        (lower, upper) shown black and white, for each image; None, or none at all, for its own: 0, or its smallest
        value if that is negative, to its 99.8th percentile.
    labels
        One name for each image; the window stands behind it.
    tile
        Pixels of the longer side of a tile; images are scaled by nearest neighbour, so that pixels stay visible. By
        default the longest side of all images, and at least 96.

    Raises
    ------
    ConfigurationError
        No images, an image that is not (y, x), labels or windows of another number, an empty window, a file that
        cannot be written.
    """
    _check(images, labels, windows)
    side = tile or max(96, *(max(image.shape) for image in images))
    across = columns or max(1, round(np.sqrt(2 * len(images))))
    down = -(-len(images) // across)
    size_of_font = max(_FONT, side // 14)
    below = 3 * size_of_font // 2
    sheet = Image.new("RGB", (across * (side + _GAP) + _GAP, down * (side + below + _GAP) + _GAP), (24, 24, 24))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size_of_font)
    for number, image in enumerate(images):
        x = _GAP + number % across * (side + _GAP)
        y = _GAP + number // across * (side + below + _GAP)
        shown = (windows[number] if windows else None) or own_window(image)
        picture = Image.fromarray(grey(image, shown))
        scale = side / max(image.shape)
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        picture = picture.resize(size, Image.Resampling.NEAREST)
        sheet.paste(picture, (x + (side - size[0]) // 2, y + (side - size[1]) // 2))
        text = f"{labels[number] if labels else number}  [{shown[0]:.3g}, {shown[1]:.3g}]"
        while draw.textlength(text, font) > side and len(text) > 1:
            text = text[:-2] + "…"
        draw.text((x, y + side + 1), text, (220, 220, 220), font)
    try:
        sheet.save(path, "PNG")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error}") from error


def _check(images: Sequence[NDArray[Any]], labels: Sequence[str], windows: Sequence[Window | None]) -> None:
    if not images:
        raise ConfigurationError("a montage needs at least one image")
    for name, given in (("labels", labels), ("windows", windows)):
        if given and len(given) != len(images):
            raise ConfigurationError(f"got {len(given)} {name} for {len(images)} images")
    for number, image in enumerate(images):
        if np.ndim(image) != 2 or not np.size(image):
            raise ConfigurationError(f"image {number} has shape {np.shape(image)}, expected (y, x)")
    for window in windows:
        if window is not None and not window[0] < window[1]:
            raise ConfigurationError(f"a window runs from {window[0]} to {window[1]}, expected lower < upper")


def own_window(image: NDArray[Any]) -> Window:
    """Return the window of one image: 0 or its negative minimum, to its 99.8th percentile."""
    finite = _real(image)[np.isfinite(_real(image))]
    if not finite.size:
        return (0.0, 1.0)
    lower = min(0.0, float(finite.min()))
    upper = float(np.percentile(finite, 99.8))
    return (lower, upper if upper > lower else lower + 1.0)


def grey(image: NDArray[Any], window: Window) -> NDArray[np.uint8]:
    """Return (y, x, 3) uint8: grey levels of the window, pure red where a value is not finite."""
    values = _real(image)
    finite = np.isfinite(values)
    level = np.clip((np.where(finite, values, 0) - window[0]) / (window[1] - window[0]), 0, 1)
    shades = np.repeat(np.rint(255 * level).astype(np.uint8)[..., None], 3, axis=2)
    shades[~finite] = (255, 0, 0)
    return shades


def _real(image: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.abs(image) if np.iscomplexobj(image) else image, np.float64)
