"""Validation: the same simulated scans every time, their PSNR and their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..measurements import Reconstructor
from ..simulation.simulated_slices import TrainingBatch

_SHOWN = 4  # slices in a picture
_ERROR_SCALE = 5  # errors are shown so many times brighter


class Batches(Protocol):
    """Where batches come from; ``SimulatedSlices`` is one."""

    def batch(self, number: int, size: int) -> TrainingBatch:
        """Return a batch: a function of the arguments alone."""
        ...


def on_device(batch: TrainingBatch, device: torch.device) -> TrainingBatch:
    """Return the batch on a device."""
    return TrainingBatch(batch.measurements.to(device), batch.target.to(device))


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Return the PSNR of magnitudes in dB, against the target's maximum, after one least-squares scale a slice.

    Parameters
    ----------
    image, target
        (batch, y, x) complex.

    Returns
    -------
        (batch,) float32.
    """
    x, y = image.abs().flatten(1), target.abs().flatten(1)
    fitted = x * ((x * y).sum(dim=1) / x.square().sum(dim=1).clamp(min=1e-30))[:, None]
    return 20 * torch.log10(y.amax(dim=1) / (fitted - y).square().mean(dim=1).sqrt())


class Validation:
    """Fixed cases on one device.

    Parameters
    ----------
    cases
        Simulated batches, on the device of the network.
    """

    def __init__(self, cases: Sequence[TrainingBatch]) -> None:
        self._cases = cases
        self.zero_filled = _mean_psnr([case.measurements.zero_filled() for case in cases], cases)
        """PSNR of the zero-filled images, dB, mean over slices."""

    @torch.no_grad()
    def __call__(self, network: Reconstructor, picture: Path) -> float:
        """Reconstruct all cases, draw the first few, and return the mean PSNR over slices in dB."""
        images = [network(case.measurements) for case in self._cases]
        draw(picture, self._cases[0], images[0])
        return _mean_psnr(images, self._cases)


def draw(path: Path, case: TrainingBatch, images: Tensor) -> None:
    """Write a PNG: a row a slice; zero-filled, reconstruction, truth, five times the error of the reconstruction."""
    rows = []
    zero_filled = case.measurements.zero_filled()
    for zero, image, target in zip(zero_filled[:_SHOWN], images[:_SHOWN], case.target[:_SHOWN], strict=True):
        error = _ERROR_SCALE * (image.abs() - target.abs()).abs()
        tiles = torch.cat((zero.abs(), image.abs(), target.abs(), error), dim=1) / target.abs().max()
        rows.append(tiles.clamp(0, 1))
    Image.fromarray((255 * torch.cat(rows)).cpu().numpy().astype(np.uint8)).save(path)


def _mean_psnr(images: Sequence[Tensor], cases: Sequence[TrainingBatch]) -> float:
    return float(torch.cat([psnr(i, case.target) for i, case in zip(images, cases, strict=True)]).mean())
