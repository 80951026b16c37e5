"""The noise of a scan without noise measurement, estimated from the scan itself."""

from __future__ import annotations

import math

import torch

from .measurements import Measurements

_SHARE = 0.05
"""Of the sampled points, those farthest from the centre of k-space: there is least signal."""


def estimated_noise(measurements: Measurements) -> float:
    """Return the standard deviation of the complex noise of one k-space sample, from the rim of k-space.

    The median of |n|^2 of circular complex Gaussian noise is ln(2) times its variance; the median cares little for the
    few strong points of sharp edges. What signal there is at the rim counts as noise: the estimate is rather too high.
    K-space that was filled up with zeros there (interpolated, partial Fourier) is passed over: zeros are not counted.

    Parameters
    ----------
    measurements
        Slices or volumes; one noise level for all.

    Returns
    -------
        In the unit of k-space; 0 where all of it is zero.
    """
    kspace = measurements.kspace.detach()
    shape = kspace.shape[2:]
    axes = [(torch.arange(n, device=kspace.device) - n // 2) / n for n in shape]
    radius = sum((a.square() for a in torch.meshgrid(*axes, indexing="ij")), torch.zeros(shape, device=kspace.device))
    power = torch.view_as_real(kspace).square().sum(dim=-1)
    sampled = measurements.mask & (power > 0)
    if not sampled.any():
        return 0.0
    distances = radius.expand(kspace.shape)[sampled]
    rim = distances >= torch.quantile(distances[:: max(1, len(distances) // 100_000)], 1 - _SHARE)
    return math.sqrt(float(power[sampled][rim].median()) / math.log(2))
