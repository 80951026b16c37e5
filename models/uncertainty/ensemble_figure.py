"""Ensembles of samples of one slice in a picture: mean, true error, spread, and some of the samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ..evaluation.figure import ERROR_SCALE
from ..evaluation.metrics import scores
from ..evaluation.panels import Panel, draw_panels, white_of
from .body import body_mask
from .interval_scores import rank_correlation

SAMPLES = 3
"""How many are shown."""


def draw_ensembles(
    path: Path, title: str, reference: Tensor, conventional: tuple[str, Tensor], ensembles: Mapping[str, Tensor]
) -> None:
    """Write a PNG: the reference and a conventional image with its error; then for each ensemble a row.

    A row has the magnitude of the mean of the complex samples, its error, the standard deviation of the samples'
    magnitudes on the scale of the errors, and the first samples. Nothing is fitted but in PSNR: errors are in the unit
    of the measurements, as those are that intervals are judged by.

    Parameters
    ----------
    path
        File; replaced if it is there.
    title
        What the slice is.
    reference
        (y, x) real.
    conventional
        Name and image of a method, (y, x) complex, in the unit of the reference.
    ensembles
        (samples, y, x) complex by what they are, in that unit, at least ``SAMPLES`` samples each.
    """
    white = white_of(reference)

    def error(image: Tensor, caption: str = "") -> Panel:
        return Panel((image.abs() - reference).abs(), white / ERROR_SCALE, "|error|", caption)

    name, image = conventional
    rows: list[list[Panel | None]] = [
        [
            Panel(reference, white, "reference"),
            Panel(image.abs(), white, name, _decibels(image, reference)),
            error(image),
            *[None] * SAMPLES,
        ]
    ]
    body = body_mask(reference[None])[0]
    for samples in ensembles.values():
        mean, deviation = samples.mean(dim=0), samples.abs().std(dim=0)
        wrong = (mean.abs() - reference).abs()
        correlation = rank_correlation(wrong[body].double().numpy(), deviation[body].double().numpy())
        rms = float(deviation[body].square().mean().sqrt() / wrong[body].square().mean().sqrt())
        shown: list[Panel | None] = [
            Panel(s.abs(), white, f"sample {n}", _decibels(s, reference)) for n, s in enumerate(samples[:SAMPLES], 1)
        ]
        rows.append(
            [
                Panel(mean.abs(), white, f"mean of {len(samples)}", _decibels(mean, reference)),
                error(mean, f"Spearman with SD {correlation:.2f}"),
                Panel(deviation, white / ERROR_SCALE, "SD", f"rms {rms:.2f} of error's"),
                *shown,
            ]
        )
    draw_panels(path, f"{title}; errors and SD x {ERROR_SCALE}", rows, ("", *ensembles))


def _decibels(image: Tensor, reference: Tensor) -> str:
    return f"{float(scores(image[None], reference[None]).psnr):.1f} dB"
