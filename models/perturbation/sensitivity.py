"""How sensitive a reconstruction is to this very scan: the worst case against random noise, in a few steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..measurements import Measurements
from .attacked import Reconstruct
from .ball import item_norm
from .worst_case import worst_case


@dataclass(frozen=True)
class Sensitivity:
    """What small changes of a scan do to its image. Amplification is norm(f(y + delta) - f(y)) / norm(delta)."""

    worst: Tensor
    """(batch,) amplification of the worst perturbation that was met: a lower bound, as few steps were taken."""
    random: Tensor
    """(batch,) amplification of white noise of the same norm."""
    ratio: Tensor
    """(batch,) worst over random: 1 says that there is no direction to fear. 0 where noise changes nothing."""
    map: Tensor
    """(batch, [z,] y, x) real: modulus of a pixel's change by the worst perturbation, over the root mean square of that
    perturbation's entries; root mean square over samples. 0 where the scan is zero."""


def sensitivity(
    reconstruct: Reconstruct,
    measurements: Measurements,
    *,
    epsilon: float = 0.01,
    iterations: int = 3,
    generator: torch.Generator,
    together: int | None = None,
) -> Sensitivity:
    """Estimate by a few steps of ``worst_case``; it starts at random noise, which is the comparison.

    Parameters
    ----------
    reconstruct, measurements, epsilon, iterations, generator, together
        As for ``worst_case``; epsilon above 0, small: amplification is that near the scan.

    Raises
    ------
    ValueError
        As ``worst_case``; or epsilon is 0.
    """
    if epsilon == 0:
        raise ValueError("got epsilon = 0, expected above 0: amplification is relative to the perturbation")
    attack = worst_case(
        reconstruct, measurements, epsilon=epsilon, iterations=iterations, generator=generator, together=together
    )
    mask = measurements.mask.expand(measurements.kspace.shape)
    size = epsilon * item_norm(measurements.kspace * mask)
    between = tuple(range(1, attack.change.ndim - measurements.maps.ndim + 2))
    power = attack.change.real.square() + attack.change.imag.square()
    local = (power.mean(dim=between) if between else power).sqrt()
    per_size = 1 / torch.where(size > 0, size, torch.inf)
    worst = item_norm(local).flatten() * per_size.flatten()
    entries = mask.flatten(1).sum(dim=1)
    gain = attack.curve[-1]
    share = attack.begun / torch.where(gain > 0, gain, 1)
    return Sensitivity(
        worst=worst,
        random=worst * share,
        ratio=torch.where(attack.begun > 0, gain / torch.where(attack.begun > 0, attack.begun, 1), 0),
        map=local * (per_size.flatten() * entries.sqrt()).view(-1, *(1,) * (local.ndim - 1)),
    )
