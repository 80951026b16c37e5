"""GRAPPA: missing lines of k-space predicted from acquired ones, with weights learnt from calibration lines.

M. A. Griswold et al., Magn. Reson. Med. 47, 1202 (2002); along both phase encodings M. Blaimer et al., Magn. Reson.
Med. 56, 1359 (2006).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..calibration_region import calibration_region
from ..measurements import Measurements
from ..operators.fourier import FourierOperator
from .grappa_kernel import KernelGroup, kernel_groups
from .sampling_lattice import Lines, SamplingLattice, find_lattice

_SLAB_BYTES = 64 * 1024**2  # of gathered source lines at once


@dataclass(frozen=True, kw_only=True)
class GrappaKernel:
    """Size of the kernel, and how its weights are found."""

    blocks: tuple[int, int] = (2, 4)
    """(along kz, along ky): acquired lines that a missing one is predicted from; one along the kz of a slice."""
    width: int = 5
    """Samples along the readout, centred on the missing one."""
    regularisation: float = 1e-2
    """Tikhonov's lambda over the mean eigenvalue of the normal matrix: above 0."""


@dataclass(frozen=True)
class GrappaWeights:
    """What was learnt from calibration lines; holds for every k-space of the same coils and undersampling."""

    lattice: SamplingLattice
    """The undersampling; its offset plays no part."""
    width: int
    """Samples along the readout."""
    groups: tuple[KernelGroup, ...]
    tensors: tuple[Tensor, ...] = field(repr=False)
    """For each group (batch, sources, width, coils, targets, coils) complex: from the fourth axis to the last."""

    @property
    def coils(self) -> int:
        """Coils that they are for."""
        return self.tensors[0].shape[-1]

    def fit(self, lattice: SamplingLattice) -> bool:
        """Tell whether they are for this undersampling, wherever it lies."""
        return (self.lattice.acceleration, self.lattice.shift) == (lattice.acceleration, lattice.shift)

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors."""
        return sum(tensor.nbytes for tensor in self.tensors)


def grappa_weights(calibration: Tensor, lattice: SamplingLattice, kernel: GrappaKernel) -> GrappaWeights:
    """Learn the weights by regularised least squares over all places of the kernel in the calibration lines.

    Parameters
    ----------
    calibration
        (batch, coils, [kz,] ky, kx) complex, fully sampled, from any part of k-space, in any unit.
    lattice
        The undersampling that the weights are for.
    kernel
        Size and regularisation.

    Raises
    ------
    ValueError
        One coil; fewer calibration lines than the kernel spans; calibration lines of zeros, or not finite.
    """
    data = calibration[:, :, None] if calibration.ndim == 4 else calibration
    coils = data.shape[1]
    if coils < 2:
        raise ValueError("GRAPPA predicts lines from what several coils see, and there is 1 coil: use zero filling")
    groups = kernel_groups(lattice, kernel.blocks if calibration.ndim == 5 else (1, kernel.blocks[1]))
    for group in groups:
        _check_size(group, kernel.width, data)
    peak = data.abs().flatten(1).amax(dim=1)
    if not (torch.isfinite(peak).all() and bool((peak > 0).all())):
        raise ValueError("the calibration lines are zero or not finite, expected signal")
    data = (data / peak.view(-1, 1, 1, 1, 1)).to(torch.complex128)  # normal equations square the condition number
    tensors = []
    for group in groups:
        gram, right = _normal_equations(data, group, kernel.width)
        mean = gram.diagonal(dim1=-2, dim2=-1).real.mean(dim=-1)
        shift = kernel.regularisation * mean[:, None, None] * torch.eye(gram.shape[-1], device=gram.device)
        factor = torch.linalg.cholesky(gram + shift)
        weights = torch.cholesky_solve(right, factor).to(calibration.dtype)
        tensors.append(weights.view(len(data), len(group.sources), kernel.width, coils, len(group.targets), coils))
    return GrappaWeights(lattice, kernel.width, groups, tuple(tensors))


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
        Of this batch and these coils.
    columns
        What the readouts filled; columns beside it stay zero in the lines that are filled in.

    Returns
    -------
        Like ``kspace``; what lies beyond the acquired extent (partial Fourier) stays zero.
    """
    if lattice.factor == 1:
        return kspace
    batch, coils, nx = kspace.shape[0], kspace.shape[1], kspace.shape[-1]
    flat = kspace.reshape(batch, coils, lines.size, nx)
    acquired = torch.from_numpy(lines & lattice.points(lines.shape)).flatten().to(kspace.device)
    hybrid = _along_x(flat * acquired[:, None], inverse=True).permute(0, 3, 2, 1)
    hybrid = torch.cat((hybrid, hybrid.new_zeros(batch, nx, 1, coils)), dim=2)  # the last line: nothing was acquired
    filled = kspace.clone().view_as(flat)
    for group, tensor in zip(weights.groups, weights.tensors, strict=True):
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
            filled[:, :, where, columns] = predicted[..., columns]
    return filled.view_as(kspace)


@dataclass(frozen=True, kw_only=True)
class Grappa:
    """GRAPPA as a ``Reconstructor``: weights from the fully sampled centre, coils combined with the maps."""

    kernel: GrappaKernel = GrappaKernel()

    def __call__(self, measurements: Measurements) -> Tensor:
        """Reconstruct a batch: (batch, [z,] y, x) complex64; raises as ``grappa`` does."""
        kspace = measurements.kspace
        masks, which = torch.unique(measurements.mask.any(dim=-1).flatten(1), dim=0, return_inverse=True)
        filled = torch.empty_like(kspace)
        for number, mask in enumerate(masks.cpu().numpy()):  # one, unless slices are sampled differently
            chosen = which == number
            lines = mask.reshape(-1, kspace.shape[-2])
            region = calibration_region(lines)[5 - kspace.ndim :]
            filled[chosen] = grappa(kspace[chosen], lines, kspace[chosen][:, :, *region], self.kernel)
        images = FourierOperator(tuple(range(2 - kspace.ndim, 0))).adjoint(filled)
        return (measurements.maps.conj() * images).sum(dim=1)


def grappa(kspace: Tensor, lines: Lines, calibration: Tensor, kernel: GrappaKernel | None = None) -> Tensor:
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
    return grappa_filled(kspace, lines, lattice, weights)


def _check_size(group: KernelGroup, width: int, data: Tensor) -> None:
    needed = (*(s.stop - s.start for s in group.span()), width)
    if any(have < need for have, need in zip(data.shape[2:], needed, strict=True)):
        raise ValueError(
            f"the calibration lines cover (kz, ky, kx) = {tuple(data.shape[2:])}, expected at least what the kernel "
            f"spans, {needed}: acquire more of them, or take a smaller kernel"
        )


def _normal_equations(data: Tensor, group: KernelGroup, width: int) -> tuple[Tensor, Tensor]:
    """A^H A (batch, n, n) and A^H b (batch, n, targets * coils) complex128, n = sources * width * coils."""
    gram = right = data.new_zeros(())
    for sources, targets in _equations(data, group, width):
        gram = gram + sources.mH @ sources
        right = right + sources.mH @ targets
    return gram, right


def _equations(data: Tensor, group: KernelGroup, width: int) -> Iterator[tuple[Tensor, Tensor]]:
    """For each kz: (batch, places, sources * width * coils) and (batch, places, targets * coils)."""
    batch, _, nz, ny, nx = data.shape
    span_z, span_y = group.span()
    high, wide = ny - (span_y.stop - span_y.start) + 1, nx - width + 1
    rows = data.movedim(1, -1)  # (batch, kz, ky, kx, coils)

    def seen(z: int, offset: tuple[int, int], column: int) -> Tensor:
        first = offset[1] - span_y.start
        return rows[:, z - span_z.start + offset[0], first : first + high, column : column + wide]

    for z in range(nz - (span_z.stop - span_z.start) + 1):
        sources = torch.stack([seen(z, source, x) for source in group.sources for x in range(width)], dim=3)
        targets = torch.stack([seen(z, target, width // 2) for target in group.targets], dim=3)
        yield sources.reshape(batch, high * wide, -1), targets.reshape(batch, high * wide, -1)


def _places(
    lines: Lines, lattice: SamplingLattice, group: KernelGroup, target: tuple[int, int]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], np.ndarray[tuple[int, int], np.dtype[np.intp]]]:
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
