"""GRAPPA: missing lines of k-space predicted from acquired ones, with weights learnt from calibration lines.

M. A. Griswold et al., Magn. Reson. Med. 47, 1202 (2002); along both phase encodings M. Blaimer et al., Magn. Reson.
Med. 56, 1359 (2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..coils.calibration_region import calibration_region
from ..measurements import Measurements
from ..operators.fourier import FourierOperator
from .grappa_kernel import KernelGroup
from .grappa_weights import GrappaKernel, GrappaWeights, grappa_weights
from .sampling_lattice import Lines, SamplingLattice, find_lattice

_SLAB_BYTES = 64 * 1024**2  # of gathered source lines at once


@dataclass(frozen=True, kw_only=True)
class Grappa:
    """GRAPPA as a ``Reconstructor``: weights from the fully sampled centre, coils combined with the maps."""

    kernel: GrappaKernel = field(default_factory=GrappaKernel)

    def __call__(self, measurements: Measurements) -> Tensor:
        """Reconstruct a batch: (batch, [z,] y, x) complex64.

        Raises
        ------
        ValueError
            Samples are missing within readouts; and as ``grappa`` says.
        """
        kspace = measurements.kspace
        masks, which = torch.unique(measurements.mask.flatten(1), dim=0, return_inverse=True)
        filled = torch.empty_like(kspace)
        for number, mask in enumerate(masks.cpu().numpy()):  # one, unless slices are sampled differently
            chosen = which == number
            lines, columns = _readouts(mask.reshape(-1, kspace.shape[-2], measurements.mask.shape[-1]))
            region = (*calibration_region(lines)[5 - kspace.ndim :], columns)
            calibration = kspace[chosen][:, :, *region]
            filled[chosen] = grappa(kspace[chosen], lines, calibration, self.kernel, columns)
        images = FourierOperator(tuple(range(2 - kspace.ndim, 0))).adjoint(filled)
        return (measurements.maps.conj() * images).sum(dim=1)


def grappa(
    kspace: Tensor,
    lines: Lines,
    calibration: Tensor,
    kernel: GrappaKernel | None = None,
    columns: slice = slice(None),
) -> Tensor:
    """Learn weights from calibration lines and fill k-space in.

    Parameters
    ----------
    kspace
        (batch, coils, [kz,] ky, kx) complex, zero where nothing was acquired.
    lines
        (kz, ky) bool: what was acquired, the same in the whole batch.
    calibration
        (batch, coils, [kz,] ky, kx) complex, fully sampled; ky = 0 lines where there are none.
    kernel
        Size and regularisation.
    columns
        What the readouts filled.

    Returns
    -------
        Like ``kspace``: acquired lines to the bit, missing ones predicted; ``kspace`` itself where none is missing.

    Raises
    ------
    ValueError
        The sampling is irregular; k-space is not finite; and as ``grappa_weights`` says.
    """
    lattice = find_lattice(lines)
    if lattice is None:
        raise ValueError(
            f"{int(lines.sum())} of {lines.size} lines were acquired, not as a regular lattice, which GRAPPA needs: "
            "use SENSE or compressed sensing"
        )
    if lattice.factor == 1:
        return kspace
    if not torch.isfinite(torch.view_as_real(kspace)).all():
        raise ValueError("k-space holds values that are not finite")
    weights = grappa_weights(calibration, lattice, kernel or GrappaKernel())
    return grappa_filled(kspace, lines, lattice, weights, columns)


def grappa_filled(
    kspace: Tensor, lines: Lines, lattice: SamplingLattice, weights: GrappaWeights, columns: slice = slice(None)
) -> Tensor:
    """Fill in what the lattice leaves out.

    Along the readout the prediction is a convolution, computed as a product in the hybrid space of (kz, ky, x), where k
    is periodic. Beyond the first and last lines there is nothing to predict from: zeros.

    Parameters
    ----------
    kspace
        (batch, coils, [kz,] ky, kx) complex.
    lines
        (kz, ky) bool: what was acquired, calibration lines of this very image included. They stay as they are.
    lattice
        Where the undersampling lies.
    weights
        Of this batch, or one entry for all of it, and of these coils.
    columns
        What the readouts filled; columns beside it stay zero in the lines that are filled in.

    Returns
    -------
        Like ``kspace``; what lies beyond the acquired extent (partial Fourier) stays zero.
    """
    if lattice.factor == 1:
        return kspace
    filled = kspace.clone(memory_format=torch.contiguous_format)
    tensors = [tensor.expand(len(kspace), *tensor.shape[1:]) for tensor in weights.tensors]
    together = 1 if kspace.device.type == "cpu" else len(kspace)  # a CPU's caches hold the arrays of one slice
    for first in range(0, len(kspace), together):
        one = slice(first, first + together)
        _fill(filled[one], lines, lattice, weights.groups, [tensor[one] for tensor in tensors], columns)
    return filled


def _readouts(mask: NDArray[np.bool_]) -> tuple[Lines, slice]:
    """Lines (kz, ky) of a mask (kz, ky, kx or 1), and the columns that they filled."""
    lines, columns = np.asarray(mask.any(axis=-1)), np.asarray(mask.any(axis=(0, 1)))
    filled = np.flatnonzero(columns)
    if len(columns) == 1 or not len(filled):
        return lines, slice(None)
    side = slice(int(filled[0]), int(filled[-1]) + 1)
    if not mask[lines][:, side].all():
        raise ValueError("samples are missing within readouts, GRAPPA fills in whole ones: use SENSE")
    return lines, side


def _fill(
    kspace: Tensor,
    lines: Lines,
    lattice: SamplingLattice,
    groups: Sequence[KernelGroup],
    tensors: Sequence[Tensor],
    columns: slice,
) -> None:
    """Fill in place."""
    batch, coils, nx = kspace.shape[0], kspace.shape[1], kspace.shape[-1]
    flat = kspace.view(batch, coils, lines.size, nx)
    acquired = torch.from_numpy(lines & lattice.points(lines.shape)).flatten().to(kspace.device)
    hybrid = _along_x(flat * acquired[:, None], inverse=True).permute(0, 3, 2, 1)
    hybrid = torch.cat((hybrid, hybrid.new_zeros(batch, nx, 1, coils)), dim=2)  # the last line: nothing was acquired
    for group, tensor in zip(groups, tensors, strict=True):
        for number, target in enumerate(group.targets):
            missing, sources = _places(lines, lattice, group, target)
            if not missing.size:
                continue
            gathered = torch.from_numpy(sources.ravel()).to(kspace.device)
            kernel = _at_x(tensor[..., number, :], nx)
            slab = max(1, _SLAB_BYTES // (batch * sources.size * coils * kspace.element_size()))
            parts = [
                hybrid[:, first : first + slab].index_select(2, gathered).view(batch, -1, len(missing), kernel.shape[2])
                @ kernel[:, first : first + slab]
                for first in range(0, nx, slab)
            ]
            predicted = _along_x(torch.cat(parts, dim=1).permute(0, 3, 2, 1), inverse=False)
            where = torch.from_numpy(missing).to(kspace.device)
            flat[:, :, where, columns] = predicted[..., columns]


def _places(
    lines: Lines, lattice: SamplingLattice, group: KernelGroup, target: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(n,) flat index of the missing lines at a place in the cell, and (n, sources) those of their sources.

    A source beyond the grid has the index after the last line.
    """
    nz, ny = lines.shape
    dz, dy = lattice.cell((nz, ny))
    kz, ky = np.nonzero((dz == target[0]) & (dy == target[1]) & lattice.covered(lines) & ~lines)
    offsets = np.array(group.sources) - target
    z, y = kz[:, None] + offsets[:, 0], ky[:, None] + offsets[:, 1]
    inside = (z >= 0) & (z < nz) & (y >= 0) & (y < ny)
    return kz * ny + ky, np.where(inside, z * ny + y, nz * ny)


def _at_x(weights: Tensor, nx: int) -> Tensor:
    """Weights (batch, sources, width, coils, coils) at every x: (batch, x, sources * coils, coils)."""
    batch, sources, width, coils, _ = weights.shape
    x = torch.arange(nx, dtype=torch.float64, device=weights.device) - nx // 2
    step = torch.arange(width, dtype=torch.float64, device=weights.device) - width // 2
    waves = torch.exp(-2j * torch.pi / nx * x[:, None] * step).to(weights.dtype)
    sums = waves @ weights.movedim(2, 0).reshape(width, -1)
    return sums.view(nx, batch, sources * coils, coils).transpose(0, 1)


def _along_x(a: Tensor, *, inverse: bool) -> Tensor:
    """Centred orthonormal transform of the last axis."""
    transform = torch.fft.ifft if inverse else torch.fft.fft
    return torch.fft.fftshift(transform(torch.fft.ifftshift(a, dim=-1), norm="ortho"), dim=-1)
