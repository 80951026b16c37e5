"""Diffusion of high frequencies alone: calibration lines stay what they are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..classical.conjugate_gradient import conjugate_gradient
from ..operators.fourier import FourierOperator
from ..operators.sampling import SamplingMask
from ..priors.prior import Prior
from .consistency import consistent
from .inverse_problem import InverseProblem
from .noise import Noise
from .schedules import descent
from .score import denoised, norms, score


@dataclass(frozen=True, kw_only=True)
class HighFrequencySpace:
    """HFS-SDE: C. Cao et al., IEEE Trans. Med. Imaging 43, 1853 (2024), arXiv:2208.05481, variance-exploding.

    The SDE acts on F^H (1 - W) F x, W the calibration region, backwards in time by predictor and corrector: scores,
    noise and data consistency are projected so. The lines inside W are known and never change; what is left to
    find is small, so that sigma_max is, and fewer levels are enough.

    Differences to the publication. Its network is trained on noise of high frequencies alone; ours knows white noise
    and gets it, added anew to the calibration lines of its input but not to the image. Its lines are those that the
    coils measured, combined, which for several coils are not quite those of the image: ours are of the least-squares
    image. Its data consistency is a normalised gradient: ours is that of ``PredictorCorrector``.

    Samples have no variance in the calibration lines nor, at weight 1 and for one coil, in the rest of what was
    measured.
    """

    steps: int = 100
    """Noise levels, from sigma_max to sigma_min in geometric progression. Published: 1000, 100 when accelerated."""
    corrections: int = 1
    """Corrector steps at each level; 0 is the predictor alone."""
    snr: float = 0.16
    """Of the corrector, as for ``PredictorCorrector``. Published: .16 to .43, the higher for fewer levels."""
    weight: float = 1.0
    """lambda: how much measurements replace what is in their place, 0 to 1."""
    sigma_max: float = 10.0
    """Highest noise level, in the unit of the prior: high frequencies are small."""
    sigma_min: float = 0.01
    """Lowest noise level."""
    iterations: int = 15
    """Of conjugate gradients, for the calibration lines."""

    @property
    def evaluations(self) -> int:
        """One for every predictor and corrector."""
        return self.steps * (1 + self.corrections)

    def __call__(self, problem: InverseProblem, prior: Prior, noise: Noise, /) -> Iterator[Tensor]:
        """Sample; see ``Sampler``.

        Raises
        ------
        ValueError
            The problem does not say where its calibration lines are.
        """
        if problem.calibration is None:
            raise ValueError("the problem has no calibration region, which this method leaves as it is: give it one")
        operator, zero_filled = problem.operator, problem.operator.adjoint(problem.y)
        fourier = FourierOperator(tuple(range(1 - zero_filled.ndim, 0)))
        high = fourier.H @ SamplingMask(~problem.calibration) @ fourier
        low_image = conjugate_gradient(operator.normal, zero_filled, iterations=self.iterations)
        low = low_image - high(low_image)

        def consistent_above(x: Tensor, z: Tensor | None = None) -> Tensor:
            return low + high(consistent(operator, x, zero_filled, self.weight, z))

        def denoised_white(x: Tensor, sigma: float) -> Tensor:
            z = sigma * noise(x)
            return denoised(prior, x + z - high(z), sigma)

        diffused = norms((~problem.calibration).expand_as(zero_filled).to(zero_filled.real.dtype))
        smallest = torch.finfo(zero_filled.dtype).tiny  # nothing moves where nothing is diffused
        x = low + high(self.sigma_max * noise(zero_filled))
        for sigma, lower in pairwise(descent("geometric", self.steps, self.sigma_max, self.sigma_min)):
            x = consistent_above(x, high(sigma * noise(x)))
            for _ in range(self.corrections):
                s = high(score(denoised_white(x, sigma), x, sigma))
                step = 2 * (self.snr * math.sqrt(2) * diffused / norms(s).clamp(min=smallest)).square()
                x = x + step * s + (2 * step).sqrt() * high(noise(x))
            x = consistent_above(x, high(sigma * noise(x)))
            clean = denoised_white(x, sigma)
            removed = sigma**2 - lower**2
            x = x + high(removed * score(clean, x, sigma) + math.sqrt(removed) * noise(x))
            yield consistent_above(clean)
