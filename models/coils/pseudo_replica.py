"""The noise of any reconstruction's images, by reconstructing replicas of the scan that differ in noise alone.

P. M. Robson et al., Magn. Reson. Med. 60, 895 (2008).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..measurements import Measurements, Reconstructor


def pseudo_replica_noise(
    reconstruct: Reconstructor,
    measurements: Measurements,
    *,
    replicas: int,
    generator: torch.Generator,
    together: int = 16,
) -> Tensor:
    """Measure the standard deviation of the noise in every pixel.

    Noise of the scan's own level is added to what was sampled, so the result is that of linear reconstructions, and
    of others at twice the noise power. Its own relative error is about 1 / sqrt(4 replicas).

    Parameters
    ----------
    reconstruct
        The method.
    measurements
        Prewhitened, of known noise.
    replicas
        How many.
    generator
        Source of the noise, of the CPU: the same seed gives the same noise on every device.
    together
        Replicas reconstructed in one call.

    Returns
    -------
        (batch, [z,] y, x) float32, of complex noise, in the unit of the images.

    Raises
    ------
    ValueError
        The noise is not known, or there are fewer than two replicas.
    """
    if measurements.noise is None or replicas < 2:
        raise ValueError(
            f"noise is {measurements.noise}, replicas are {replicas}; expected measurements with their noise and at "
            "least two replicas"
        )
    expected = reconstruct(measurements)
    total = torch.zeros_like(expected, dtype=torch.complex128)
    power = torch.zeros_like(total.real)
    shape, kind = measurements.kspace.shape, measurements.kspace.dtype
    for first in range(0, replicas, together):
        count = min(together, replicas - first)
        noise = torch.cat([torch.randn(shape, dtype=kind, generator=generator) for _ in range(count)])
        mask = _repeated(measurements.mask, count)
        copies = Measurements(
            kspace=_repeated(measurements.kspace, count) + measurements.noise * noise.to(mask.device) * mask,
            mask=mask,
            maps=_repeated(measurements.maps, count),
            noise=measurements.noise,
        )
        changes = reconstruct(copies).view(count, *expected.shape) - expected
        total += changes.sum(dim=0)
        power += changes.abs().square().sum(dim=0)
    variance = (power - total.abs().square() / replicas) / (replicas - 1)
    return variance.clamp(min=0).sqrt().float()


def _repeated(tensor: Tensor, count: int) -> Tensor:
    return tensor.repeat(count, *[1] * (tensor.ndim - 1))
