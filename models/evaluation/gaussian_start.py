"""Whether noise of the highest level leaves a Gaussian, which is what samplers begin with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LIMIT = 0.1
"""Highest total variation distance that passes for a Gaussian: whoever is shown a start and is to tell whether it is
noise alone or a noised image is right in at most 55 % of cases."""


def distance_from_noise(images: Tensor, sigma: float) -> float:
    """Return a bound of the total variation distance between images with noise and noise alone.

    With p of x0 + sigma z and q of sigma z, the chi-square divergence is a mean over pairs of independent images::

        chi2(p, q) = E exp(<x0, x0'> / sigma^2) - 1        TV(p, q) <= sqrt(chi2) / 2

    (the product of two shifted normal densities over a third one, integrated; Cauchy-Schwarz). It sees what a ratio of
    standard deviations does not: that the signal of an image is in few low spatial frequencies, and rises above the
    noise there. Parts are taken as coordinates. The mean over all pairs of different images is unbiased.

    Parameters
    ----------
    images
        (N, ...) independent images, at least 2.
    sigma
        Standard deviation of the noise in each part.

    Returns
    -------
        The bound; 1, which bounds nothing, where it is above that.
    """
    flat = images.flatten(1)
    flat = torch.view_as_real(flat).flatten(1).double() if flat.is_complex() else flat.double()
    products = (flat @ flat.T / sigma**2).expm1()
    products.fill_diagonal_(0)
    divergence = float(products.sum()) / (len(flat) * (len(flat) - 1))
    return min(math.sqrt(max(divergence, 0.0)) / 2, 1.0)  # below 0 by chance where it is next to nothing
