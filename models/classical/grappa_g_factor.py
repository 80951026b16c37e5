"""The noise of GRAPPA images in closed form: its weights as unmixing of the aliased coil images.

F. A. Breuer et al., Magn. Reson. Med. 62, 739 (2009).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .grappa_weights import GrappaWeights


def unmixing_weights(weights: GrappaWeights, combination: Tensor) -> Tensor:
    """Return what the combined image is of the aliased coil images: x = sum over coils of u * image.

    The prediction of missing lines is a convolution of k-space that is zero off the lattice, so a product in the image:
    u_k = sum over coils j of p_j W_jk, W_jk(r) = delta_jk + sum over taps d of w_jk(d) exp(-2 pi i d r / n). The edges
    of k-space, where taps reach beyond the grid, are not accounted for, nor are integrated calibration lines.

    Parameters
    ----------
    weights
        Of GRAPPA.
    combination
        (batch, coils, [z,] y, x) complex: p, the weights of the coils in the combined image, such as conjugate maps.

    Returns
    -------
        (batch, coils, [z,] y, x) complex: u, for coil images transformed from k-space that is zero where not acquired.
    """
    flat = combination.ndim == 4
    p = combination[:, :, None] if flat else combination
    taps, middle = _taps(weights)
    waves = [_waves(p.shape[2 + axis], taps.shape[1 + axis], middle[axis]).to(p.device, p.dtype) for axis in range(3)]
    taps = torch.einsum("bzysik,xs->bzyxik", taps.to(p.dtype), waves[2])
    u = torch.empty_like(p)
    for z, wave in enumerate(waves[0]):
        along = torch.einsum("bzyxik,z->byxik", taps, wave)
        for y, row in enumerate(waves[1]):  # a row at a time: matrices of all pixels at once would be large
            matrices = torch.einsum("byxik,y->bxik", along, row)
            u[:, :, z, y] = torch.einsum("bxik,bkx->bix", matrices, p[:, :, z, y])
    return u[:, :, 0] if flat else u


def grappa_g_factor(weights: GrappaWeights, combination: Tensor) -> Tensor:
    """Return the g-factor: noise of the accelerated image over that of the full one, beyond the factor sqrt(R).

    Parameters
    ----------
    weights, combination
        As for ``unmixing_weights``; the coils' noise is white (prewhitened data).

    Returns
    -------
        (batch, [z,] y, x) real; 0 where no coil is combined.
    """
    noise = torch.linalg.vector_norm(unmixing_weights(weights, combination), dim=1)
    full = torch.linalg.vector_norm(combination, dim=1)
    return torch.where(full > 0, noise / full, 0) / weights.lattice.factor


def _taps(weights: GrappaWeights) -> tuple[Tensor, Sequence[int]]:
    """Kernel over all shifts (batch, dz, dy, dx, from coil, to coil), and the index of the shift 0."""
    pairs = [(s, t, g) for g, group in enumerate(weights.groups) for s in group.sources for t in group.targets]
    shifts = [(s[0] - t[0], s[1] - t[1]) for s, t, _ in pairs]
    low = [min(0, *(shift[axis] for shift in shifts)) for axis in range(2)]
    size = [max(0, *(shift[axis] for shift in shifts)) - low[axis] + 1 for axis in range(2)]
    middle = (-low[0], -low[1], weights.width // 2)
    batch, coils = weights.tensors[0].shape[0], weights.tensors[0].shape[-1]
    taps = weights.tensors[0].new_zeros(batch, *size, weights.width, coils, coils)
    for (source, target, g), (dz, dy) in zip(pairs, shifts, strict=True):
        group = weights.groups[g]
        tensor = weights.tensors[g][:, group.sources.index(source), ..., group.targets.index(target), :]
        taps[:, dz - low[0], dy - low[1]] += tensor
    taps[:, middle[0], middle[1], middle[2]] += torch.eye(coils, device=taps.device)  # what was acquired stays
    return taps, middle


def _waves(n: int, size: int, middle: int) -> Tensor:
    """exp(-2 pi i d r / n): (n, size) complex128."""
    r = torch.arange(n, dtype=torch.float64) - n // 2
    d = torch.arange(size, dtype=torch.float64) - middle
    return torch.exp(-2j * torch.pi / n * r[:, None] * d)
