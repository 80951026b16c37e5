"""How much unfolding amplifies noise: the g-factor of SENSE, and images in units of their own noise.

K. P. Pruessmann et al., Magn. Reson. Med. 42, 952 (1999), equation 23; P. Kellman and E. R. McVeigh, Magn. Reson. Med.
54, 1439 (2005). That of GRAPPA follows from its weights (``classical.grappa_g_factor``), that of any other
reconstruction from ``pseudo_replica``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

_LIMIT = 1e5  # g-factors beyond are rounding errors of maps in single precision


def sense_g_factor(maps: Tensor, acceleration: Sequence[int]) -> Tensor:
    """Return the g-factor of SENSE for every R-th line along each phase encoding direction.

    With S the sensitivities at the pixels that fold onto one another, g_i = sqrt([(S^H S)^-1]_ii [S^H S]_ii). Pixels
    outside of the maps fold nothing.

    Parameters
    ----------
    maps
        (batch, coils, [z,] y, x) complex sensitivities of coils with white noise of one level (prewhitened).
    acceleration
        ([Rz,] Ry), each a divisor of its axis.

    Returns
    -------
        (batch, [z,] y, x) float64: at least 1, infinite where the coils cannot tell pixels apart, 0 outside the maps.

    Raises
    ------
    ValueError
        An acceleration does not divide its axis: pixels do not fold onto pixels.
    """
    phase = maps.shape[2:-1]
    if len(acceleration) != len(phase) or any(n % r for n, r in zip(phase, acceleration, strict=True)):
        raise ValueError(
            f"acceleration {tuple(acceleration)} along axes of {tuple(phase)}; expected divisors of them "
            "(or measure it: pseudo_replica)"
        )
    axes = tuple(range(2, maps.ndim - 1))
    wide = maps.to(torch.complex128)
    folds = product(*(range(0, n, n // r) for n, r in zip(phase, acceleration, strict=True)))
    folded = [wide.roll(shifts, axes) for shifts in folds]  # the pixel itself first
    s = torch.stack(folded, dim=-1).movedim(1, -2)  # (..., coils, R)
    gram = s.mH @ s
    power = gram.diagonal(dim1=-2, dim2=-1).real
    values, vectors = torch.linalg.eigh(gram + torch.diag_embed((power == 0).to(gram.dtype)))
    values = values.clamp(min=1e-14 * values[..., -1:])  # below are rounding errors: pixels that cannot be told apart
    gain = (vectors[..., 0, :].abs().square() / values).sum(dim=-1) * power[..., 0]
    g = torch.where(gain < _LIMIT**2, gain.clamp(min=1).sqrt(), torch.inf)
    return torch.where(power[..., 0] > 0, g, 0)


def in_snr_units(image: Tensor, g_factor: Tensor, acceleration: float) -> Tensor:
    """Scale an unfolded image of prewhitened data to units of its own noise.

    The noise of a pixel of real and imaginary part has a standard deviation of g sqrt(R) times that of k-space, which
    prewhitening made 1 (orthonormal transforms, maps of unit norm).

    Parameters
    ----------
    image
        (batch, [z,] y, x) complex or real, as reconstructed.
    g_factor
        (batch, [z,] y, x).
    acceleration
        R: lines of the grid over lines acquired.

    Returns
    -------
        Like the image; 0 where the g-factor is 0 or infinite.
    """
    noise = g_factor.to(image.real.dtype) * acceleration**0.5
    return torch.where((noise > 0) & noise.isfinite(), image / noise, 0)
