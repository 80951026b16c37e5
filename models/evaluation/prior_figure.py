"""Samples of a prior and images that it has never seen, in a picture."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from .image_statistics import BACKGROUND
from .panels import Panel, draw_panels, white_of

COLUMNS = 8


def draw_prior(path: Path, title: str, samples: Tensor, held_out: Tensor) -> None:
    """Write a PNG: rows of magnitudes of samples and the phase of the first row; below it, the same of data.

    All magnitudes are shown on one scale. Phase is shown from -pi, black, to pi, white; the background is black.

    Parameters
    ----------
    path
        File; replaced if it is there.
    title
        Above all.
    samples, held_out
        (N, y, x) complex, in the unit of the prior, on the CPU.
    """
    white = white_of(held_out.abs())
    rows: list[list[Panel | None]] = []
    labels: list[str] = []
    for name, images in (("samples", samples), ("held-out images", held_out)):
        for first in range(0, len(images), COLUMNS):
            rows.append(_row([Panel(image.abs(), white) for image in images[first : first + COLUMNS]]))
            labels.append(name)
        rows.append(_row([Panel(_phase(image), 2 * math.pi) for image in images[:COLUMNS]]))
        labels.append("phase")
    draw_panels(path, title, rows, labels)


def _row(panels: list[Panel]) -> list[Panel | None]:
    return [*panels, *[None] * (COLUMNS - len(panels))]


def _phase(image: Tensor) -> Tensor:
    return torch.where(image.abs() >= BACKGROUND, image.angle() + math.pi, 0)
