"""The score of noisy images, from the denoiser of them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..priors.prior import Prior


def score(denoised: Tensor, x: Tensor, sigma: float) -> Tensor:
    """Return grad log p_sigma(x) = (D(x, sigma) - x) / sigma^2 from D(x, sigma): Tweedie's formula, see ``Prior``."""
    return (denoised - x) / sigma**2


def denoised(prior: Prior, x: Tensor, sigma: float) -> Tensor:
    """Return D(x, sigma) for one noise level of a whole batch: a schedule is on the host, in double precision."""
    return prior.denoise(x, torch.tensor(sigma, dtype=x.real.dtype, device=x.device))


def norms(x: Tensor) -> Tensor:
    """Return the norm of each item, (batch, 1, ...) real.

    Published step sizes that are ratios of norms take their mean over a batch. Here each item has its own: it must not
    depend on what it is computed together with; nor must its rounding, see ``inner``.
    """
    rows = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return torch.linalg.vector_norm(rows, dim=tuple(range(1, x.ndim)), keepdim=True)


def parts(x: Tensor) -> int:
    """Return how many real numbers an item of a batch is: the expectation of the squared norm of standard noise."""
    return x[0].numel() * (2 if x.is_complex() else 1)
