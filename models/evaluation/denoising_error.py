"""How well a prior denoises: what all that is done with it rests on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..priors.prior import Prior
from ..samplers.noise import batch_noise

LEVELS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_TOGETHER = 4  # images


@torch.no_grad()
def denoising_errors(
    prior: Prior, images: Tensor, *, levels: Sequence[float] = LEVELS, seed: int = 0
) -> dict[float, NDArray[np.float64]]:
    """Return the root mean square error of D(x0 + sigma z, sigma) over sigma, by sigma.

    1 is what an image has that is not denoised. Of the denoisers that know no more than the variance of a pixel, s^2 in
    each part, the best has s / sqrt(s^2 + sigma^2).

    Parameters
    ----------
    prior
        What denoises.
    images
        (N, ...) noise-free, on its device, in its unit.
    levels
        Standard deviations of the noise in each part.
    seed
        Of the noise, the same at every level.

    Returns
    -------
        (N,) float64 for each level, of the real and the imaginary parts together.
    """
    z = batch_noise(torch.Generator(images.device).manual_seed(seed))(images)
    errors = {}
    for level in levels:
        sigma = torch.tensor(level, dtype=images.real.dtype, device=images.device)
        batches = zip(torch.split(images, _TOGETHER), torch.split(level * z, _TOGETHER), strict=True)
        wrong = torch.cat([prior.denoise(clean + noise, sigma) - clean for clean, noise in batches])
        parts = 2 if images.is_complex() else 1
        squared = wrong.abs().double().square().flatten(1).mean(dim=1) / parts
        errors[level] = (squared.sqrt() / level).cpu().numpy()
    return errors
