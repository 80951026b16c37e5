"""The fast iterative shrinkage-thresholding algorithm."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def fista(
    normal: Callable[[Tensor], Tensor],
    rhs: Tensor,
    proximal: Callable[[Tensor], Tensor],
    *,
    iterations: int,
) -> Tensor:
    """Minimise ||A x - y||^2 / 2 + g(x) by proximal gradient steps of length 1 with momentum, from zero.

    A. Beck and M. Teboulle, SIAM J. Imaging Sci. 2, 183 (2009).

    Parameters
    ----------
    normal
        Applies A^H A, whose norm is at most 1, as that of a ``SenseOperator`` with normalised maps is.
    rhs
        A^H y, (batch, ...).
    proximal
        Proximal map of g.
    iterations
        Applications of A^H A.

    Returns
    -------
        (batch, ...) as ``rhs``.
    """
    x = ahead = torch.zeros_like(rhs)
    t = 1.0
    for _ in range(iterations):
        before, x = x, proximal(ahead - normal(ahead) + rhs)
        t_before, t = t, (1 + math.sqrt(1 + 4 * t**2)) / 2
        ahead = torch.add(x, x - before, alpha=(t_before - 1) / t)
    return x
