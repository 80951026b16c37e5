"""One step: the posterior mean of a denoising problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..priors.prior import Prior
from .inverse_problem import InverseProblem
from .noise import Noise


@dataclass(frozen=True, kw_only=True)
class Tweedie:
    """D(A^H y, sigma): B. Efron, J. Am. Stat. Assoc. 106, 1602 (2011).

    For noisy images (A unitary) the mean of all that they may be, which no sample comes as near to; L. Pfaff et al.,
    No-New-Denoiser, MICCAI 2024. For undersampled ones it denoises the zero-filled image and leaves the aliasing.
    """

    steps: int = 1
    """Always 1."""

    @property
    def evaluations(self) -> int:
        """One."""
        return 1

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Denoise; see ``Sampler``."""
        noisy = problem.operator.adjoint(problem.y)
        yield prior.denoise(noisy, torch.tensor(problem.sigma, device=noisy.device))
