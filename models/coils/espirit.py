"""Coil sensitivity maps by ESPIRiT: the eigenvectors of what calibration k-space predicts of itself.

M. Uecker et al., Magn. Reson. Med. 71, 990 (2014). Every patch of k-space over all coils lies in a subspace that the
patches of the calibration region span. Projecting onto it, averaged over the positions of the patch, is a convolution
of k-space, hence in the image one small Hermitian matrix a pixel, G(x). Where the maps s(x) are consistent with the
data, G s = s.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor

_SLAB_BYTES = 32 * 1024**2  # of matrices G at once: small enough to stay in the cache


def espirit_maps(
    calibration: Tensor,
    shape: Sequence[int],
    *,
    kernel: int = 6,
    threshold: float = 0.03,
    crop: float = 0.8,
    iterations: int = 30,
) -> tuple[Tensor, Tensor]:
    """Estimate one set of coil sensitivity maps.

    Parameters
    ----------
    calibration
        (batch, coils, [cz,] cy, cx) complex64: the fully sampled centre of k-space, k = 0 at index n // 2, any unit.
    shape
        ([z,] y, x) of the maps; the field of view is that of the calibration's k-space.
    kernel
        Edge of the patches in k-space; along an axis of the image that is shorter, the whole axis.
    threshold
        Singular vectors of the calibration matrix count as signal above this part of its largest singular value.
    crop
        Maps are zero where the eigenvalue is below: there is no signal to see coils by.
    iterations
        Steps of the power iteration that finds the eigenvectors.

    Returns
    -------
    maps
        (batch, coils, [z,] y, x) complex64, over coils their squares sum to 1 or to 0. Their phase is such that the
        strongest combination of coils, of each batch entry, is real: smooth, where one reference coil would have holes.
    eigenvalues
        (batch, [z,] y, x) float32, 0 to 1; about 1 where there is signal.

    Raises
    ------
    ValueError
        The calibration region is smaller than the kernel along an axis, holds no signal, or is not finite.
    """
    sizes = [min(kernel, n) for n in shape]
    if len(sizes) != calibration.ndim - 2 or any(
        have < need for have, need in zip(calibration.shape[2:], sizes, strict=True)
    ):
        raise ValueError(
            f"the calibration region is {tuple(calibration.shape[2:])}, expected at least the kernel, {tuple(sizes)}: "
            "acquire more calibration lines or make the kernel smaller"
        )
    peak = calibration.abs().flatten(1).amax(dim=1)
    if not (torch.isfinite(peak).all() and bool((peak > 0).all())):
        raise ValueError("calibration k-space is zero or not finite, expected signal")
    data = calibration / peak.view(-1, *[1] * (calibration.ndim - 1))
    reference = _strongest_combination(data)
    correlation = _correlation(_signal_projection(_patches(data, sizes), threshold), data.shape[1], sizes)
    maps = data.new_empty(len(data), data.shape[1], *shape)
    eigenvalues = peak.new_empty(len(data), *shape)
    slab = max(1, _SLAB_BYTES // (8 * data.shape[1] ** 2 * prod(shape[1:])))
    for entry, first in product(range(len(data)), range(0, shape[0], slab)):
        rows = slice(first, first + slab)
        matrices = _evaluated(correlation[entry], shape, sizes, rows)
        vectors, values = _dominant(matrices, reference[entry], iterations)
        maps[entry, :, rows] = torch.where(values > crop, vectors, 0)
        eigenvalues[entry, rows] = values
    return maps, eigenvalues


def _strongest_combination(data: Tensor) -> Tensor:
    """(batch, coils): the unit vector of coils with the most energy."""
    flat = data.flatten(2)
    return torch.linalg.eigh(flat @ flat.mH).eigenvectors[..., -1]


def _patches(data: Tensor, sizes: Sequence[int]) -> Tensor:
    """(batch, coils * patch, positions): every patch of k-space as a column."""
    axes = len(sizes)
    for axis, size in enumerate(sizes):
        data = data.unfold(2 + axis, size, 1)
    patch_axes, position_axes = range(2 + axes, 2 + 2 * axes), range(2, 2 + axes)
    return data.permute(0, 1, *patch_axes, *position_axes).reshape(len(data), data.shape[1] * prod(sizes), -1)


def _signal_projection(patches: Tensor, threshold: float) -> Tensor:
    """(batch, n, n): the projection onto the left singular vectors that hold signal."""
    n, positions = patches.shape[1:]
    wide = n <= positions
    gram = patches @ patches.mH if wide else patches.mH @ patches  # the smaller one has the same singular values
    powers, vectors = torch.linalg.eigh(gram)
    signal = powers > threshold**2 * powers[:, -1:]
    if wide:
        return (vectors * signal[:, None]) @ vectors.mH
    weights = torch.where(signal, 1 / powers, 0)
    vectors = patches @ vectors
    return (vectors * weights[:, None]) @ vectors.mH


def _correlation(projection: Tensor, coils: int, sizes: Sequence[int]) -> Tensor:
    """(batch, coils, coils, *(2 size - 1)): the projection's entries averaged over equal shifts within the patch."""
    batch, patch = len(projection), prod(sizes)
    grids = torch.stack(torch.meshgrid(*(torch.arange(s) for s in sizes), indexing="ij")).flatten(1)
    shifts = grids[:, None, :] - grids[:, :, None]  # (axes, patch, patch): from the first element to the second
    wide = [2 * s - 1 for s in sizes]
    place = torch.zeros(patch, patch, dtype=torch.int64)
    for shift, size, length in zip(shifts, sizes, wide, strict=True):
        place = place * length + shift + size - 1
    entries = projection.view(batch, coils, patch, coils, patch).permute(0, 1, 3, 2, 4).reshape(batch, coils, coils, -1)
    sums = entries.new_zeros(batch, coils, coils, prod(wide))
    sums.index_add_(3, place.flatten().to(entries.device), entries)
    return (sums / patch).view(batch, coils, coils, *wide)


def _evaluated(correlation: Tensor, shape: Sequence[int], sizes: Sequence[int], rows: slice) -> Tensor:
    """(coils, coils, rows, ...): G(x) = sum over shifts d of C(d) exp(-2 pi i d x / n), by matrices, for any n."""
    result = correlation
    for axis in reversed(range(len(shape))):
        n, size = shape[axis], sizes[axis]
        x = torch.arange(n, dtype=torch.float64, device=result.device)[rows if axis == 0 else slice(None)] - n // 2
        d = torch.arange(1 - size, size, dtype=torch.float64, device=result.device)
        waves = torch.exp(-2j * torch.pi / n * x[:, None] * d).to(result.dtype)
        result = torch.movedim(torch.movedim(result, 2 + axis, -1) @ waves.mT, -1, 2 + axis)
    return result


def _dominant(matrices: Tensor, reference: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Eigenvectors (coils, ...) of the largest eigenvalues (...) of Hermitian matrices (coils, coils, ...)."""
    columns = matrices.unbind(1)
    reference = reference.view(-1, *[1] * (matrices.ndim - 2))
    vectors = reference.expand_as(columns[0])
    for _ in range(iterations):
        vectors, _ = _unit(_applied(columns, vectors))
    vectors, values = _unit(_applied(columns, vectors))
    along = (reference.conj() * vectors).sum(dim=0)
    return vectors * torch.sgn(along).conj(), values


def _applied(columns: Sequence[Tensor], vectors: Tensor) -> Tensor:
    result = columns[0] * vectors[0]
    for column, component in zip(columns[1:], vectors[1:], strict=True):
        result.addcmul_(column, component)
    return result


def _unit(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors (coils, ...) of norm 1, and their norms before."""
    norms = torch.view_as_real(vectors).square().sum(dim=(0, -1)).sqrt()  # faster than the norm of complex numbers
    return vectors * (1 / norms.clamp(min=torch.finfo(norms.dtype).tiny)), norms
