"""How an image comes about: what a sampler takes for the noise-free image after each of some steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..measurements import Measurements, Reconstructor
from ..priors.prior import Prior
from ..samplers.build import check_levels
from ..samplers.noise import item_noise
from ..samplers.posed import pose
from ..samplers.sampler import Sampler
from .metrics import scores
from .panels import Panel, draw_panels, white_of


@dataclass(frozen=True)
class Estimate:
    """The best estimate at one step of a run."""

    step: int
    """Steps done, from 1."""
    image: Tensor
    """(y, x) complex64 on the CPU, in the unit of k-space."""


def trajectory(
    measurements: Measurements,
    prior: Prior,
    sampler: Sampler,
    *,
    start: Reconstructor | None = None,
    seed: int,
    shown: int,
) -> list[Estimate]:
    """Draw one sample, and keep some of the estimates on the way.

    Parameters
    ----------
    measurements
        One slice, on the device of the prior.
    prior, sampler
        What to draw by.
    start
        As ``pose`` takes it.
    seed
        Of its noise.
    shown
        How many to keep, at least 2: evenly spread over the steps, the first and the last among them. Fewer where a
        run has fewer, or ends early.

    Raises
    ------
    ValueError
        As ``pose`` and ``check_levels``.
    """
    check_levels(sampler, prior)
    posed = pose(measurements, start)
    inside = measurements.maps.abs().amax(dim=1) > 0
    kept = set(torch.linspace(1, sampler.steps, shown).round().int().tolist())
    noise = item_noise([torch.Generator(inside.device).manual_seed(seed)])
    with torch.no_grad():
        return [
            Estimate(step, (estimate * posed.scale * inside)[0].cpu())
            for step, estimate in enumerate(sampler(posed.problem, prior, noise), 1)
            if step in kept
        ]


def draw_trajectories(path: Path, title: str, reference: Tensor, runs: Mapping[str, Sequence[Estimate]]) -> None:
    """Write a PNG: a row for each run, the reference beside the first; beneath each estimate its PSNR.

    Parameters
    ----------
    path
        File; replaced if it is there.
    title
        What the slice is.
    reference
        (y, x) real, in the unit of the estimates.
    runs
        By the names of the samplers, at least one; shorter ones are filled up with free places.
    """
    white = white_of(reference)
    longest = max(len(run) for run in runs.values())
    rows: list[list[Panel | None]] = []
    for run in runs.values():
        row: list[Panel | None] = []
        for estimate in run:
            psnr = float(scores(estimate.image[None], reference[None]).psnr)
            row.append(Panel(estimate.image.abs(), white, f"step {estimate.step}", f"{psnr:.1f} dB"))
        rows.append([*row, *[None] * (longest - len(run)), None if rows else Panel(reference, white, "reference")])
    draw_panels(path, title, rows, tuple(runs))
