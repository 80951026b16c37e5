"""Perturbed measurements, and the random perturbation that every worst case is compared with."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..measurements import Measurements
from .ball import Norm, ball_about, item_norm


def perturbed(measurements: Measurements, delta: Tensor) -> Measurements:
    """Return measurements with a perturbation added; where that is zero they stay as they are, to the bit."""
    y = measurements.kspace
    return replace(measurements, kspace=torch.where(delta != 0, y + delta.to(y), y))


def random_control(measurements: Measurements, epsilon: float, generator: torch.Generator, norm: Norm = "l2") -> Tensor:
    """Return what every attack is compared with: random numbers on sampled entries, of the largest norm of the ball.

    Parameters
    ----------
    measurements, epsilon
        As for ``worst_case``.
    generator
        Draws it.
    norm
        ``l2``: complex Gaussian. ``linf``: random phase, equal modulus; of the l2 norm epsilon norm(y), too.

    Returns
    -------
        (batch, coils, [kz,] ky, kx) complex64.
    """
    return ball_about(measurements, epsilon, norm).random(generator)


def relative_norm(measurements: Measurements, delta: Tensor) -> Tensor:
    """Return norm(delta) / norm(y) of each item, (batch,) real; 0 where y is zero."""
    size = item_norm(measurements.kspace * measurements.mask).flatten()
    return item_norm(delta).flatten() / torch.where(size > 0, size, 1)
