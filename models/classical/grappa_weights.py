"""The weights of GRAPPA, learnt from calibration lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .grappa_kernel import KernelGroup, kernel_groups
from .sampling_lattice import SamplingLattice


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
