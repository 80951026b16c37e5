"""Coil sensitivity maps by ESPIRiT: the eigenvectors of what calibration k-space predicts of itself.

M. Uecker et al., Magn. Reson. Med. 71, 990 (2014). Every patch of k-space over all coils lies in a subspace that the
patches of the calibration region span. Projecting onto it, averaged over the positions of the patch, is a convolution
of k-space, hence in the image one small Hermitian matrix a pixel, G(x). Where maps s(x) are consistent with the data,
G s = s.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from .dominant_eigenvectors import dominant_eigenvectors, strongest_combination

_COARSE_ITERATIONS = 100
_SLAB_BYTES = 32 * 1024**2  # of matrices G at once: memory stays bounded, whatever the volume and the coils


def espirit_maps(
    calibration: Tensor,
    shape: Sequence[int],
    *,
    kernel: int = 6,
    threshold: float = 0.03,
    crop: float = 0.8,
    iterations: int = 3,
) -> tuple[Tensor, Tensor]:
    """Estimate one set of coil sensitivity maps.

    One coil gets a map of ones within the support of the signal; k-space without signal gets maps of zeros.

    Parameters
    ----------
    calibration
        (batch, coils, [cz,] cy, cx) complex64: the fully sampled centre of k-space, k = 0 at index n // 2, any unit.
    shape
        ([z,] y, x) of the maps; their field of view is that of the calibration's k-space.
    kernel
        Edge of the patches in k-space; along an axis of ``shape`` that is shorter, the whole axis.
    threshold
        Singular vectors of the calibration matrix count as signal above this part of its largest singular value.
    crop
        Maps are zero where the eigenvalue is not above: there is no signal to see coils by.
    iterations
        Steps of the power iteration on the whole grid, after a longer one on a coarse grid.

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
        The calibration region is smaller than the kernel along an axis, or not finite.
    """
    sizes = [min(kernel, n) for n in shape]
    region = tuple(calibration.shape[2:])
    if len(sizes) != len(region) or any(have < need for have, need in zip(region, sizes, strict=True)):
        raise ValueError(
            f"the calibration region is {region}, expected at least the kernel, {tuple(sizes)}: "
            "acquire more calibration lines or make the kernel smaller"
        )
    peak = calibration.abs().flatten(1).amax(dim=1)
    if not torch.isfinite(peak).all():
        raise ValueError("the calibration region holds values that are not finite; expected finite k-space")
    # raw data may be so small that their squares leave single precision
    data = calibration / torch.where(peak > 0, peak, 1).view(-1, *[1] * (calibration.ndim - 1))
    batch, coils = data.shape[:2]
    reference = strongest_combination(data)
    correlations = _correlations(_signal_space(_patches(data, sizes), threshold), coils, sizes)
    maps = data.new_empty(batch, coils, *shape)
    eigenvalues = peak.new_empty(batch, *shape)
    grid = [torch.arange(n, dtype=torch.float64) - n // 2 for n in shape]
    coarse = [torch.linspace(float(x[0]), float(x[-1]), _coarse(len(x)), dtype=torch.float64) for x in grid]
    slab = max(1, _SLAB_BYTES // (8 * coils**2 * prod(shape[1:])))
    for entry in range(batch):
        matrices = _evaluated(correlations[entry], shape, coarse)
        start, _ = dominant_eigenvectors(matrices, reference[entry], _COARSE_ITERATIONS)
        start = _interpolated(start, shape)
        for first in range(0, shape[0], slab):
            rows = slice(first, first + slab)
            matrices = _evaluated(correlations[entry], shape, [grid[0][rows], *grid[1:]])
            vectors, values = dominant_eigenvectors(matrices, reference[entry], iterations, start[:, rows])
            maps[entry, :, rows] = torch.where(values > crop, vectors, 0)
            eigenvalues[entry, rows] = values
    return maps, eigenvalues


def espirit_kernel(lines: int) -> int:
    """Return the edge of ESPIRiT's patches for so many calibration lines: 6, but with five places of it across them.

    With fewer places the patches do not span the signal, and the body is taken for background: of 8 lines of simulated
    brains on 96 x 96 pixels, a kernel of 6 lost 40 % of the image (norm, median), one of 4 lost 4 %.
    """
    return max(min(6, lines - 4), 1)


def _coarse(n: int) -> int:
    """Points along an axis where the power iteration begins: one in four pixels, since maps are smooth."""
    return max(-(-n // 4), min(n, 32))


def _patches(data: Tensor, sizes: Sequence[int]) -> Tensor:
    """(batch, coils * patch, positions): every patch of k-space as a column."""
    axes = len(sizes)
    for axis, size in enumerate(sizes):
        data = data.unfold(2 + axis, size, 1)
    patch_axes, position_axes = range(2 + axes, 2 + 2 * axes), range(2, 2 + axes)
    return data.permute(0, 1, *patch_axes, *position_axes).reshape(len(data), data.shape[1] * prod(sizes), -1)


def _signal_space(patches: Tensor, threshold: float) -> Tensor:
    """(batch, coils * patch, vectors): left singular vectors that hold signal, then zeros up to the largest count.

    They come from the eigenvectors of the smaller one of the two Gram matrices.
    """
    wide = patches.shape[1] <= patches.shape[2]
    powers, vectors = torch.linalg.eigh(patches @ patches.mH if wide else patches.mH @ patches)
    signal = powers > threshold**2 * powers[:, -1:]
    if not wide:
        vectors = patches @ (vectors * torch.where(signal, powers.abs().rsqrt(), 0)[:, None])
    count = max(1, int(signal.sum(dim=1).max()))
    return (vectors * signal[:, None])[..., vectors.shape[2] - count :]


def _correlations(space: Tensor, coils: int, sizes: Sequence[int]) -> Tensor:
    """(batch, coils, coils, *(2 size - 1)): the projection onto the space, averaged over equal shifts in the patch.

    The shifts run from -(size - 1) to size - 1, from the first coil's element of the patch to the second coil's. All
    are summed by one product in the Fourier domain of the patch.
    """
    wide = [2 * size - 1 for size in sizes]
    axes = tuple(range(-len(sizes), 0))
    spectra = torch.fft.fftn(space.mT.reshape(len(space), -1, coils, *sizes), s=wide, dim=axes)
    spectra = spectra.flatten(3).permute(0, 3, 2, 1)  # (batch, frequencies, coils, vectors)
    powers = (spectra @ spectra.mH).permute(0, 2, 3, 1).reshape(len(space), coils, coils, *wide)
    return torch.fft.fftshift(torch.fft.fftn(powers, dim=axes, norm="forward"), dim=axes) / prod(sizes)


def _evaluated(correlations: Tensor, shape: Sequence[int], positions: Sequence[Tensor]) -> Tensor:
    """(coils, coils, *positions): G(x) = sum over shifts d of C(d) exp(-2 pi i d x / n), axis by axis, for any n."""
    result = correlations
    for axis in reversed(range(len(shape))):
        reach = result.shape[2 + axis] // 2
        d = torch.arange(-reach, reach + 1, dtype=torch.float64)
        waves = torch.exp(-2j * torch.pi / shape[axis] * positions[axis][:, None] * d).to(result)
        result = torch.movedim(torch.movedim(result, 2 + axis, -1) @ waves.mT, -1, 2 + axis)
    return result


def _interpolated(vectors: Tensor, shape: Sequence[int]) -> Tensor:
    """(coils, *shape), linearly, from points at equal distances from the first to the last of each axis."""
    parts = torch.view_as_real(vectors).movedim(-1, 0)
    mode = "bilinear" if len(shape) == 2 else "trilinear"
    finer = torch.nn.functional.interpolate(parts, tuple(shape), mode=mode, align_corners=True)
    return torch.view_as_complex(finer.movedim(0, -1).contiguous())
