"""Coil maps once more, from what a first reconstruction made of the centre of k-space."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..measurements import Measurements, joined
from .calibration import calibration_kspace
from .covering_maps import covering_maps
from .espirit import espirit_kernel

_LINES = 16
"""Of the centre of k-space, and so many that were measured need no reconstruction."""
_WIDTH = 24


@torch.no_grad()
def with_maps_of_image(measurements: Measurements, image: Tensor) -> Measurements:
    """Estimate the maps of slices again, by ESPIRiT from 16 central lines: measured ones, and the image's between them.

    Few calibration lines make coarse maps, and an image that was reconstructed by these knows more of the centre of
    k-space than they did (as joint estimation of image and maps uses: L. Ying and J. Sheng, JSENSE, Magn. Reson. Med.
    57, 1196 (2007); M. Uecker et al., ibid. 60, 674 (2008)). Maps keep the phase that they had, by which images of both
    can be compared and averaged. A slice keeps its maps where its own calibration region has as many lines, where
    k-space is smaller, and where there is no signal. No gradients go through new maps.

    Parameters
    ----------
    measurements
        Slices, 4-D k-space.
    image
        (batch, y, x) complex64, of these maps, in the unit of k-space.
    """
    return joined([_of_slice(one, image[n : n + 1]) for n, one in enumerate(measurements.split())])


def _of_slice(measurements: Measurements, image: Tensor) -> Measurements:
    kspace, mask = measurements.kspace, measurements.mask
    height, width = kspace.shape[2:]
    everything = torch.ones_like(mask)
    first = height // 2 - _LINES // 2
    centre = torch.zeros_like(mask)
    centre[:, :, first : first + _LINES] = True
    known = bool((mask | ~centre).all())
    if known or min(height, width) < _LINES or not image.any():
        return measurements
    filled = torch.where(mask, kspace, replace(measurements, mask=everything).operator()(image))
    calibration = calibration_kspace(filled, centre, width=_WIDTH)
    maps, _ = covering_maps(calibration, (height, width), kernel=espirit_kernel(min(calibration.shape[2:])))
    turned = (measurements.maps.conj() * maps).sum(dim=1, keepdim=True)
    phase = torch.where(turned == 0, 1, turned / turned.abs().clamp(min=1e-12))
    return replace(measurements, maps=maps * phase.conj())
