"""Reconstructions of one slice beside the reference, each above its error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from .metrics import fitted_magnitude, scores
from .panels import Panel, draw_panels, white_of

ERROR_SCALE = 5
"""Errors are shown so many times brighter than images."""
_COLUMNS = 6  # at most


def draw_comparison(path: Path, title: str, reference: Tensor, images: Mapping[str, Tensor]) -> None:
    """Write a PNG: the reference, then each image above its error map, with PSNR and SSIM beneath.

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
    reference = reference.abs().double()
    white = white_of(reference)
    pairs: list[tuple[Panel | None, Panel | None]] = [(Panel(reference, white, "reference"), None)]
    for name, image in images.items():
        fitted = fitted_magnitude(image[None], reference[None])[0]
        found = scores(image[None], reference[None])
        text = f"{float(found.psnr):.1f} dB, SSIM {float(found.ssim):.3f}"
        error = Panel((fitted - reference).abs(), white / ERROR_SCALE, caption=text)
        pairs.append((Panel(fitted, white, name), error))
    bands = -(-len(pairs) // _COLUMNS)
    columns = -(-len(pairs) // bands)
    pairs += [(None, None)] * (bands * columns - len(pairs))
    rows = [
        [pair[part] for pair in pairs[start : start + columns]]
        for start in range(0, len(pairs), columns)
        for part in (0, 1)
    ]
    draw_panels(path, f"{title}; errors x {ERROR_SCALE}", rows)
