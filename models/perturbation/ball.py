"""The perturbations that a budget allows: a ball about the measured data, on sampled entries alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..measurements import Measurements
from ..operators.inner_product import inner

Norm = Literal["l2", "linf"]


@dataclass(frozen=True)
class Ball:
    """All delta of a norm of at most ``radius``, each item of a batch with its own, zero where nothing was sampled."""

    norm: Norm
    """``l2``: root of the sum of squared moduli. ``linf``: largest modulus of an entry."""
    radius: Tensor
    """(batch, 1, ...) real, in the unit of k-space."""
    mask: Tensor
    """(batch, coils, [kz,] ky, kx) bool."""

    def project(self, delta: Tensor) -> Tensor:
        """Return the nearest element of the ball; what lies inside stays as it is, to the bit."""
        delta = delta * self.mask
        size = self._size(delta)
        return torch.where(size > self.radius, delta * (self.radius / _positive(size)), delta)

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the element along which a function of this gradient grows most; zero where the gradient is."""
        gradient = gradient * self.mask
        return self.radius * (gradient / _positive(self._size(gradient)))

    def random(self, generator: torch.Generator) -> Tensor:
        """Draw an element on the sphere: complex Gaussian noise, for ``linf`` of random phase and equal modulus.

        Drawn item by item where the generator is: the same on every device for a generator of the CPU.
        """
        shape, on = self.mask.shape[1:], generator.device
        items = [torch.randn(shape, dtype=torch.complex64, device=on, generator=generator) for _ in self.mask]
        return self.steepest(torch.stack(items).to(self.mask.device))

    def _size(self, delta: Tensor) -> Tensor:
        return delta.abs() if self.norm == "linf" else item_norm(delta)


def ball_about(measurements: Measurements, epsilon: float, norm: Norm = "l2") -> Ball:
    """Return the ball of a budget relative to what was sampled.

    Parameters
    ----------
    measurements
        Each item of the batch has a budget of its own.
    epsilon
        ``l2``: of norm(y), all coils and sampled entries together. ``linf``: of the root mean square of the sampled
        entries of y; so that this ball lies within that of ``l2`` of the same epsilon.
    norm
        Which.

    Raises
    ------
    ValueError
        Epsilon is not within [0, 1], or there is an item of which nothing was sampled.
    """
    if not 0 <= epsilon <= 1:
        raise ValueError(f"got epsilon = {epsilon:g}, expected 0 to 1: the budget, relative to the sampled data")
    y = measurements.kspace
    mask = measurements.mask.expand(y.shape)
    entries = mask.flatten(1).sum(dim=1)
    if not entries.all():
        raise ValueError("there is no sampled line, so nothing that a perturbation could be added to")
    radius = epsilon * item_norm(y * mask)
    return Ball(norm, radius / entries.sqrt().view(radius.shape) if norm == "linf" else radius, mask)


def item_norm(a: Tensor) -> Tensor:
    """Return the l2 norm of each item of a batch, (batch, 1, ...) real."""
    shape = (-1, *(1,) * (a.ndim - 1))
    peak = _positive(a.abs().flatten(1).amax(dim=1).view(shape))  # squares of raw data may leave single precision
    unit = a / peak
    return peak * inner(unit, unit).sqrt().view(shape)


def _positive(size: Tensor) -> Tensor:
    return torch.where(size > 0, size, torch.ones_like(size))
