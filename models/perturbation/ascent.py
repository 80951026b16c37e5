"""How a perturbation climbs: projected gradient steps, or projected Adam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from .ball import Ball, item_norm

Method = Literal["pgd", "adam"]

_FIRST = 4.0
"""Length of the first gradient step, in radii. Long ones climb faster: two of 4 radii took ADMM-Net's image of a brain
to a change of 3.6 %, two of 1 radius to one of 3.1 %."""
_RATE = 0.1
"""Adam's, in units of the root mean square of an entry on the sphere."""


class Place(NamedTuple):
    """Where a search is."""

    delta: Tensor
    """(batch, coils, [kz,] ky, kx) complex64, inside the ball."""
    value: Tensor
    """(batch,) the objective there."""
    gradient: Tensor
    """Its gradient there, of the shape of delta."""


Step = Callable[[Place, Place], Tensor]
"""From where the search is, and the best place so far (which may be the same), to the next delta, inside the ball."""


def normalised_gradient(ball: Ball) -> Step:
    """Step from the best place along the gradient, whatever its size, and project; half as far after a step in vain.

    Steps are relative to the ball's radius, so there is no length to tune. For a linear reconstruction B all steps
    climb: it is a power iteration on 1 + c B^H B, towards the largest singular value. Steps are halved as in F. Croce
    and M. Hein, ICML 2020, but at once.
    """
    length = torch.full_like(ball.radius, _FIRST)

    def step(here: Place, best: Place) -> Tensor:
        nonlocal length
        length = torch.where((here.value < best.value).view(length.shape), length / 2, length)
        return ball.project(best.delta + length * ball.steepest(best.gradient))

    return step


def adam(ball: Ball) -> Step:
    """Step by Adam (D. P. Kingma and J. Ba, ICLR 2015, Algorithm 1) and project; real and imaginary parts apart.

    The optimiser of T. Han et al., MICCAI 2024, and M. Z. Darestani et al., ICML 2021. Its rate is absolute, so it is
    set relative to the sphere here.
    """
    beta1, beta2, tiny = 0.9, 0.999, 1e-8
    entries = ball.mask.flatten(1).sum(dim=1).view(ball.radius.shape)
    rate = _RATE * (ball.radius if ball.norm == "linf" else ball.radius / entries.sqrt())
    unit = mean = square = torch.zeros(())
    count = 0

    def step(here: Place, _best: Place) -> Tensor:
        nonlocal unit, mean, square, count
        count += 1
        if count == 1:  # Adam knows no scale, but squares of gradients by raw data may leave single precision
            unit = torch.where((first := item_norm(here.gradient)) > 0, first, 1)
        parts = torch.view_as_real(here.gradient / unit)
        mean = beta1 * mean.to(parts) + (1 - beta1) * parts
        square = beta2 * square.to(parts) + (1 - beta2) * parts.square()
        ahead = (mean / (1 - beta1**count)) / ((square / (1 - beta2**count)).sqrt() + tiny)
        return ball.project(here.delta + rate * torch.view_as_complex(ahead))

    return step


METHODS: Mapping[Method, Callable[[Ball], Step]] = MappingProxyType({"pgd": normalised_gradient, "adam": adam})
