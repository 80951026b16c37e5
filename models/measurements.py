"""What a reconstruction starts from: undersampled k-space of several coils, and the maps of those coils."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from .operators.sense import SenseOperator


@dataclass(frozen=True)
class Measurements:
    """A batch of slices (or volumes) of one size and one number of coils, on one device.

    The unit of k-space is free: every reconstruction is equivariant to a common scale of it.

    Raises
    ------
    ValueError
        Shapes or dtypes do not fit each other.
    """

    kspace: Tensor
    """(batch, coils, [kz,] ky, kx) complex64, k = 0 at index n // 2, zero where not sampled."""
    mask: Tensor
    """(batch, 1, [kz,] ky, kx or 1) bool: what was sampled. The last axis is 1 where whole readouts are sampled."""
    maps: Tensor
    """(batch, coils, [z,] y, x) complex64 sensitivities; over coils their squares sum to 1, or 0 outside the body."""
    noise: float | None = None
    """Standard deviation of the complex noise of one k-space sample, in the unit of k-space; sqrt(2) for prewhitened
    data in SNR units, where real and imaginary parts have unit variance each; None where unknown."""

    def __post_init__(self) -> None:
        k, m, s = self.kspace, self.mask, self.maps
        if k.ndim not in {4, 5} or not k.is_complex() or not s.is_complex() or k.shape != s.shape:
            raise ValueError(
                f"k-space is {tuple(k.shape)} {k.dtype}, maps are {tuple(s.shape)} {s.dtype}; "
                "expected both complex and (batch, coils, [z,] y, x)"
            )
        wanted = (k.shape[0], 1, *k.shape[2:])
        if m.dtype != torch.bool or m.shape not in {wanted, (*wanted[:-1], 1)}:
            raise ValueError(f"mask is {tuple(m.shape)} {m.dtype}, expected {wanted} bool (or 1 as last axis)")

    def operator(self) -> SenseOperator:
        """Return A = M F S."""
        return SenseOperator(self.maps, self.mask)

    def zero_filled(self) -> Tensor:
        """Return A^H y, (batch, [z,] y, x) complex64."""
        return self.operator().adjoint(self.kspace)

    def acceleration(self) -> Tensor:
        """Return grid points over sampled ones, (batch,) float32, all sampled ones counted (calibration too)."""
        return 1 / self.mask.float().flatten(1).mean(dim=1).clamp(min=1e-9)

    def to(self, device: torch.device | str) -> Measurements:
        """Return these on another device."""
        return replace(self, kspace=self.kspace.to(device), mask=self.mask.to(device), maps=self.maps.to(device))

    def split(self) -> list[Measurements]:
        """Return the items of the batch, each as a batch of one."""
        return [
            replace(self, kspace=self.kspace[n : n + 1], mask=self.mask[n : n + 1], maps=self.maps[n : n + 1])
            for n in range(len(self))
        ]

    def __len__(self) -> int:
        return self.kspace.shape[0]


def joined(parts: Sequence[Measurements]) -> Measurements:
    """Return batches of one shape and kind of mask as one batch, at the noise level of the first.

    Raises
    ------
    ValueError
        Their shapes differ.
    """
    if len(parts) == 1:
        return parts[0]
    shapes = {(tuple(part.kspace.shape[1:]), tuple(part.mask.shape[1:])) for part in parts}
    if len(shapes) > 1:
        told = " and ".join(str(kspace) for kspace, _ in sorted(shapes))
        raise ValueError(f"k-space is {told} (coils, [kz,] ky, kx); expected one shape")
    kspace, mask, maps = (torch.cat([getattr(part, name) for part in parts]) for name in ("kspace", "mask", "maps"))
    return Measurements(kspace, mask, maps, parts[0].noise)


class Reconstructor(Protocol):
    """Measurements in, complex images out: every method, classical or learnt, is one."""

    def __call__(self, measurements: Measurements, /) -> Tensor:
        """Reconstruct a batch: (batch, [z,] y, x) complex64 in the unit of k-space (orthonormal transforms)."""
        ...
