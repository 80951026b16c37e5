"""Images of a prior: those that it is to be a distribution of, and those that it makes up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..operators.sampling import SamplingMask
from ..priors.prior import Prior
from ..samplers.draw import draw
from ..samplers.inverse_problem import InverseProblem
from ..samplers.noise import item_noise
from ..samplers.sampler import Sampler
from ..simulation.acquisition_range import AcquisitionRange
from ..simulation.simulated_slices import SimulatedSlices
from ..training.denoising import clean_images


def training_images(
    images: NDArray[np.uint8], acquisition: AcquisitionRange, *, side: int, count: int, seed: int
) -> Tensor:
    """Prepare images exactly as for the training of a prior: random views, phase, shading and intensity.

    Parameters
    ----------
    images
        (N, y, x) uint8 magnitudes to draw from, with replacement.
    acquisition
        The recipe's; its crop is replaced.
    side
        Pixels a side of the result, a multiple of 8.
    count
        How many.
    seed
        Of all that is random.

    Returns
    -------
        (count, side, side) complex64 in the unit of the prior.
    """
    views = AcquisitionRange.model_validate({**acquisition.model_dump(), "crop": (side, side)})
    target = SimulatedSlices(images, views, seed).batch(0, count).target
    return clean_images(target, torch.Generator().manual_seed(seed))


def unconditional_samples(
    prior: Prior, sampler: Sampler, shape: tuple[int, ...], *, seeds: Sequence[int], like: Tensor
) -> Tensor:
    """Draw samples of the prior alone: by a sampler that is told that nothing was measured.

    Parameters
    ----------
    prior, sampler
        What to draw by. Noise is to begin at the prior's highest level.
    shape
        Of one image.
    seeds
        One for each sample, which is a function of it.
    like
        Has the dtype and the device that samples are to have.

    Returns
    -------
        (samples, *shape), in the unit of the prior.
    """
    nothing = like.new_zeros(len(seeds), *shape)
    problem = InverseProblem(
        operator=SamplingMask(torch.zeros((), dtype=torch.bool, device=like.device)),
        y=nothing,
        sigma=1.0,
        shape=tuple(nothing.shape),
    )
    noise = item_noise([torch.Generator(like.device).manual_seed(seed) for seed in seeds])
    return draw(sampler, problem, prior, noise).images
