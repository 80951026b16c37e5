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
_EDGE = 0.05  # of white: what is brighter in the reference is to be seen
_MARGIN = 6  # pixels around it


def draw_comparison(path: Path, title: str, reference: Tensor, images: Mapping[str, Tensor]) -> None:
    """Write a PNG: the reference, then each image above its error map, with PSNR and SSIM beneath.

    All are cut to what the reference shows, so that there is more to see of it; PSNR and SSIM are of whole images.

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
    seen = _seen(reference > _EDGE * white)
    pairs: list[tuple[Panel | None, Panel | None]] = [(Panel(reference[seen], white, "reference"), None)]
    for name, image in images.items():
        fitted = fitted_magnitude(image[None], reference[None])[0]
        found = scores(image[None], reference[None])
        text = f"{float(found.psnr):.1f} dB, SSIM {float(found.ssim):.3f}"
        error = Panel((fitted - reference).abs()[seen], white / ERROR_SCALE, caption=text)
        pairs.append((Panel(fitted[seen], white, name), error))
    bands = -(-len(pairs) // _COLUMNS)
    columns = -(-len(pairs) // bands)
    pairs += [(None, None)] * (bands * columns - len(pairs))
    rows = [
        [pair[part] for pair in pairs[start : start + columns]]
        for start in range(0, len(pairs), columns)
        for part in (0, 1)
    ]
    draw_panels(path, f"{title}; errors x {ERROR_SCALE}", rows)


def _seen(bright: Tensor) -> tuple[slice, slice]:
    """Return the box about what is bright, with a margin."""
    found = [bright.any(dim=1 - axis).nonzero().flatten() for axis in (0, 1)]
    rows, columns = (slice(max(0, int(at.min()) - _MARGIN), int(at.max()) + 1 + _MARGIN) for at in found)
    return rows, columns
