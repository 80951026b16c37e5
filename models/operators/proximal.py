"""Proximal maps: what regularisers do to an image in one step.

The proximal map of t f takes v to the x that minimises t f(x) + ||x - v||^2 / 2. Thresholds are real tensors that
broadcast, or numbers; 0 changes nothing. N. Parikh and S. Boyd, Found. Trends Optim. 1, 127 (2014).
"""

from __future__ import annotations

import torch
from torch import Tensor


def soft_threshold(x: Tensor, threshold: Tensor | float) -> Tensor:
    """Proximal map of ``threshold * sum |x|``: shrink each magnitude, keep each phase.

    Parameters
    ----------
    x
        Real or complex, any shape.
    threshold
        Not negative.
    """
    return x - clipped(x, threshold)


def group_shrink(x: Tensor, threshold: Tensor | float, dim: int) -> Tensor:
    """Proximal map of ``threshold`` times the sum of the Euclidean norms of groups of values along an axis.

    Parameters
    ----------
    x
        Real or complex; values along ``dim`` are a group, such as the differences along y and x of one pixel.
    threshold
        Not negative.
    dim
        The groups' axis.
    """
    return x - clipped(x, threshold, dim)


def clipped(x: Tensor, radius: Tensor | float, dim: int | None = None) -> Tensor:
    """Project each value, or each group along ``dim``, onto a ball: what shrinking takes away (Moreau)."""
    power = x.real.square() + x.imag.square() if x.is_complex() else x.square()  # a third of the time of abs()
    magnitude = (power if dim is None else power.sum(dim, keepdim=True)).sqrt()
    tiny = torch.finfo(magnitude.dtype).tiny  # instead of 0, for a value that is 0 as well
    return x * (radius / magnitude.clamp(min=tiny)).clamp(max=1)
