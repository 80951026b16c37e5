"""What a diffusion prior minimises: the error of its denoiser at random noise levels."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..networks.diffusion_prior import DiffusionPrior
from ..networks.network import Network, image_scale
from ..simulation.simulated_slices import TrainingBatch
from .loss import Objective

_LOG_MEAN, _LOG_DEVIATION = -1.6, 1.4
"""Of the natural logarithm of the noise level: Karras 2022 has -1.2 and 1.2 for images of a standard deviation of .5;
lower and wider here, as what decides a reconstruction are levels below that of its aliasing."""
_INTENSITY_DEVIATION = 0.1
"""Of the logarithm of an image's intensity: that of a scan is only estimated, from another reconstruction."""

Levels = Callable[[DiffusionPrior, int, torch.Generator], Tensor]


def denoising(levels: Levels) -> Objective:
    """Return the weighted squared error of D(x0 + sigma z, sigma) over a batch as an objective.

    The weight, (sigma^2 + s^2) / (sigma s)^2, makes that the squared error of F (Karras 2022, eq. 8): with it no noise
    level outweighs the others. Images are ``clean_images`` of the batch's targets.

    Parameters
    ----------
    levels
        Draws a noise level for each item.

    Raises
    ------
    TypeError
        The network is no ``DiffusionPrior``.
    """

    def loss(network: Network, batch: TrainingBatch, generator: torch.Generator) -> Tensor:
        if not isinstance(network, DiffusionPrior):
            raise TypeError(f"got {type(network).__name__} to train by denoising, expected DiffusionPrior")
        clean = clean_images(batch.target, generator)
        sigma = levels(network, len(clean), generator)
        noise = torch.randn(clean.shape, dtype=clean.dtype, generator=generator, device=clean.device) * math.sqrt(2)
        error = network.denoise(clean + sigma[:, None, None] * noise, sigma) - clean
        squared = torch.view_as_real(error).square().flatten(1).mean(dim=1)
        return (squared * (sigma.square() + network.sigma_data**2) / (sigma * network.sigma_data).square()).mean()

    return loss


def clean_images(target: Tensor, generator: torch.Generator) -> Tensor:
    """Return what a prior is a distribution of: images in units of ``image_scale``, give or take some per cent.

    Parameters
    ----------
    target
        (batch, y, x) complex64, noise-free.
    generator
        Of the intensities, on the device of the images.
    """
    drawn = torch.randn(len(target), 1, 1, generator=generator, device=target.device)
    return (_INTENSITY_DEVIATION * drawn).exp() * target / image_scale(target)


def log_normal(network: DiffusionPrior, size: int, generator: torch.Generator) -> Tensor:
    """Draw noise levels as Karras 2022 (table 1) does, within the network's range: (size,)."""
    low, high = network.sigmas
    drawn = torch.randn(size, generator=generator, device=generator.device)
    return (_LOG_MEAN + _LOG_DEVIATION * drawn).exp().clamp(low, high)


def log_uniform(network: DiffusionPrior, size: int, generator: torch.Generator) -> Tensor:
    """Draw sigma_min (sigma_max / sigma_min)^t, t uniform: the variance-exploding SDE of Song 2021. (size,)."""
    low, high = network.sigmas
    t = torch.rand(size, generator=generator, device=generator.device)
    return low * (high / low) ** t
