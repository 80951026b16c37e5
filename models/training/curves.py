"""The course of a training, as a table and as a picture."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class CurvePoint(BaseModel):
    """One validation and the steps before it."""

    model_config = ConfigDict(frozen=True)

    step: int
    """Steps done."""
    seconds: float
    """Wall time since the training first began."""
    learning_rate: float
    """Of the next step."""
    loss: float | None
    """Mean over the steps since the last validation; None before the first step."""
    psnr: float
    """Of the averaged weights on the fixed validation cases, dB, mean over slices."""


def write_csv(path: Path, curve: Sequence[CurvePoint]) -> None:
    """Write a line for each point, with the names of the fields as the first."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CurvePoint.model_fields)
        writer.writerows([f"{v:.6g}" if isinstance(v, float) else v for _, v in point] for point in curve)


def draw_png(path: Path, curve: Sequence[CurvePoint], zero_filled: float) -> None:
    """Draw loss and validation PSNR over the steps, with the PSNR of the zero-filled images as the ground line."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes half a second to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    losses, psnrs = figure.subplots(1, 2)
    losses.plot([p.step for p in curve if p.loss is not None], [p.loss for p in curve if p.loss is not None])
    losses.set(xlabel="step", ylabel="training loss", yscale="log")
    psnrs.plot([p.step for p in curve], [p.psnr for p in curve], label="averaged weights")
    psnrs.axhline(zero_filled, color="grey", linestyle="--", label="zero-filled")
    psnrs.set(xlabel="step", ylabel="validation PSNR (dB)")
    psnrs.legend()
    figure.savefig(path, dpi=100)
