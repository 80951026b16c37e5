"""Perturbed measurements, and the random perturbation that every worst case is compared with."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..measurements import Measurements
from .ball import ball_about, item_norm


def perturbed(measurements: Measurements, delta: Tensor) -> Measurements:
    """Return measurements with a perturbation added; where that is zero they stay as they are, to the bit."""
    y = measurements.kspace
    return replace(measurements, kspace=torch.where(delta != 0, y + delta.to(y), y))


def random_control(measurements: Measurements, epsilon: float, generator: torch.Generator) -> Tensor:
    """Return what every attack is compared with: complex white noise on sampled entries, of norm epsilon norm(y).

    Parameters
    ----------
    measurements, epsilon
        As for ``worst_case``; of an attack that does not use up its budget (``linf``), take ``relative_norm``.
    generator
        Draws it.

    Returns
    -------
        (batch, coils, [kz,] ky, kx) complex64.
    """
    return ball_about(measurements, epsilon).random(generator)


def relative_norm(measurements: Measurements, delta: Tensor) -> Tensor:
    """Return norm(delta) / norm(y) of each item, (batch,) real; 0 where y is zero."""
    size = item_norm(measurements.kspace * measurements.mask).flatten()
    return item_norm(delta).flatten() / torch.where(size > 0, size, 1)
