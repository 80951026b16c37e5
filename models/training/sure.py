"""Stein's unbiased risk estimate: what a denoiser minimises that never sees a clean image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..networks.network import Network, image_scale
from ..networks.sure_denoiser import SureDenoiser, zero_filled_noise
from ..simulation.simulated_slices import TrainingBatch

_STEP = 0.1
"""Of the finite difference, in sigma: far above what bfloat16 rounds, and below what denoisers react to unevenly."""


def sure(network: Network, batch: TrainingBatch, generator: torch.Generator) -> Tensor:
    """Return the mean risk estimate of a ``SureDenoiser`` over a batch, each over its squared scale: an objective.

    The truth of the batch is not looked at.

    Raises
    ------
    TypeError
        Another network.
    ValueError
        The noise of the zero-filled images is none, unknown, or not white, because k-space is undersampled.
    """
    measurements = batch.measurements
    if not isinstance(network, SureDenoiser):
        raise TypeError(f"got {type(network).__name__} to train by SURE, expected SureDenoiser")
    if not measurements.mask.all():
        raise ValueError("got undersampled k-space, expected all of it (acceleration 1): SURE wants white noise")
    if measurements.noise == 0:
        raise ValueError("got k-space without noise, expected some: there is nothing to learn from")
    noisy, sigma = measurements.zero_filled(), zero_filled_noise(measurements)
    risk = monte_carlo_sure(lambda image: network.denoise(image, sigma), noisy, sigma, generator)
    return (risk / image_scale(noisy).flatten().square()).mean()


def monte_carlo_sure(
    denoise: Callable[[Tensor], Tensor], noisy: Tensor, sigma: Tensor, generator: torch.Generator
) -> Tensor:
    """Estimate the mean squared error of denoised images without the truth.

    C. M. Stein, Ann. Stat. 9, 1135 (1981); S. Ramani et al., IEEE Trans. Image Process. 17, 1540 (2008), for the
    divergence by a random probe b; C. A. Metzler et al., arXiv 1805.10531, for training on it. The noise is circular
    complex Gaussian, E[|n|^2] = sigma^2: of variance sigma^2 / 2 in each of the real and imaginary parts, over both of
    which the divergence sums. So with N pixels::

        SURE = norm(f(y) - y)^2 / N - sigma^2 + 2 (sigma^2 / 2) / N b^T (f(y + h b) - f(y)) / h

    Parameters
    ----------
    denoise
        f: (batch, y, x) complex to the same.
    noisy
        y = x + n, (batch, y, x) complex64. Where it is exactly zero, outside of the coil maps, there is no noise, and
        no pixel is counted.
    sigma
        Standard deviation of the complex noise in the unit of the image, (batch, 1, 1).
    generator
        Of the probe b, +1 or -1 in each part.

    Returns
    -------
        (batch,) float32, squared unit of the image; its expectation is that of norm(f(y) - x)^2 / N.
    """
    inside = noisy != 0
    pixels = inside.flatten(1).sum(dim=1).clamp(min=1)
    probe = rademacher(noisy, generator) * inside
    step = _STEP * sigma
    denoised = denoise(noisy)
    change = denoise(noisy + step * probe) - denoised
    divergence = (probe.conj() * change).real.flatten(1).sum(dim=1) / step.flatten()
    residual = torch.view_as_real((denoised - noisy) * inside).square().flatten(1).sum(dim=1)
    variance = sigma.flatten().square()
    return residual / pixels - variance + variance * divergence / pixels


def rademacher(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return +1 or -1, each as likely, in the real and in the imaginary part of complex numbers.

    Parameters
    ----------
    like
        Shape, dtype and device.
    generator
        Source of randomness.
    """
    signs = torch.randint(2, (*like.shape, 2), generator=generator, device=like.device)
    return torch.view_as_complex(2.0 * signs - 1.0).to(like.dtype)
