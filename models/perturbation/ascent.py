"""How a perturbation climbs: projected gradient steps, or projected Adam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from .ball import Ball, item_norm

Method = Literal["pgd", "adam"]
Step = Callable[[Tensor, Tensor], Tensor]
"""From a perturbation and the gradient there to the next, inside the ball."""

_RATE = 0.1
"""Adam's, in units of the root mean square of an entry on the sphere."""


def normalised_gradient(ball: Ball) -> Step:
    """Step as far as the ball's radius along the gradient, whatever its size, and project.

    So there is no step length to tune. For a linear reconstruction B it is a power iteration on 1 + c B^H B, which
    climbs from step to step towards the largest singular value.
    """

    def step(delta: Tensor, gradient: Tensor) -> Tensor:
        return ball.project(delta + ball.steepest(gradient))

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

    def step(delta: Tensor, gradient: Tensor) -> Tensor:
        nonlocal unit, mean, square, count
        count += 1
        if count == 1:  # Adam knows no scale, but squares of gradients by raw data may leave single precision
            unit = torch.where((first := item_norm(gradient)) > 0, first, 1)
        parts = torch.view_as_real(gradient / unit)
        mean = beta1 * mean.to(parts) + (1 - beta1) * parts
        square = beta2 * square.to(parts) + (1 - beta2) * parts.square()
        ahead = (mean / (1 - beta1**count)) / ((square / (1 - beta2**count)).sqrt() + tiny)
        return ball.project(delta + rate * torch.view_as_complex(ahead))

    return step


METHODS: Mapping[Method, Callable[[Ball], Step]] = MappingProxyType({"pgd": normalised_gradient, "adam": adam})
