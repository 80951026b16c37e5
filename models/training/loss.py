"""What a training minimises: distances between reconstruction and truth, each independent of the data's scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..networks.network import Network, image_scale
from ..simulation.simulated_slices import TrainingBatch

Objective = Callable[[Network, TrainingBatch, torch.Generator], Tensor]
"""The loss of a network on a batch, a scalar; what it draws at random comes from the generator."""
Distance = Callable[[Tensor, Tensor], Tensor]
"""(reconstruction, target), each (batch, y, x) complex64, to (batch,) float32."""

_WINDOW = 7  # pixels a side, as in Wang 2004 (there Gaussian) and fastMRI (there and here uniform)
_K1, _K2 = 0.01, 0.03  # Wang 2004


def l1(image: Tensor, target: Tensor) -> Tensor:
    """Return the mean modulus of the complex difference."""
    return (image - target).abs().flatten(1).mean(dim=1)


def l2(image: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared modulus of the complex difference."""
    error = image - target
    return (error.real.square() + error.imag.square()).flatten(1).mean(dim=1)


def l1_ssim(image: Tensor, target: Tensor) -> Tensor:
    """Return ``l1`` of the complex images plus (1 - SSIM) / 2 of their magnitudes."""
    return l1(image, target) + (1 - structural_similarity(image.abs(), target.abs())) / 2


def structural_similarity(image: Tensor, target: Tensor) -> Tensor:
    """Return the mean SSIM over all 7 x 7 windows inside the image; differentiable.

    Z. Wang et al., IEEE Trans. Image Process. 13, 600 (2004), with uniform windows and unbiased covariances.

    Parameters
    ----------
    image, target
        (batch, y, x) float32; the dynamic range is the target's maximum.

    Returns
    -------
        (batch,) float32.
    """
    pixels = _WINDOW**2
    peak = target.flatten(1).amax(dim=1).clamp(min=1e-12)[:, None, None]
    x, y = image / peak, target / peak
    moments = torch.stack((x, y, x * x, y * y, x * y), dim=1)
    mean_x, mean_y, xx, yy, xy = avg_pool2d(moments, _WINDOW, stride=1).unbind(dim=1)
    unbiased = pixels / (pixels - 1)
    variance_x, variance_y = unbiased * (xx - mean_x.square()), unbiased * (yy - mean_y.square())
    covariance = unbiased * (xy - mean_x * mean_y)
    luminance = (2 * mean_x * mean_y + _K1**2) / (mean_x.square() + mean_y.square() + _K1**2)
    structure = (2 * covariance + _K2**2) / (variance_x + variance_y + _K2**2)
    return (luminance * structure).flatten(1).mean(dim=1)


DISTANCES: Mapping[str, Distance] = {"l1": l1, "l2": l2, "l1_ssim": l1_ssim}
"""Distances by the name that a recipe gives."""


def supervised(distance: Distance) -> Objective:
    """Return the mean distance over a batch, each example divided by the scale of its target, as an objective."""

    def loss(network: Network, batch: TrainingBatch, _: torch.Generator) -> Tensor:
        image = network(batch.measurements)
        scale = image_scale(batch.target)
        return distance(image / scale, batch.target / scale).mean()

    return loss
