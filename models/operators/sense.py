"""The forward model of parallel imaging: sensitivities, Fourier transform, sampling."""

from __future__ import annotations

import torch
from torch import Tensor

from .linear_operator import LinearOperator

_CACHE_BYTES = 16 * 2**20


class SenseOperator(LinearOperator):
    """A = M F S: image (batch, [z,] y, x) to sampled k-space (batch, coils, [kz,] ky, kx).

    K. P. Pruessmann et al., Magn. Reson. Med. 42, 952 (1999), 46, 638 (2001).

    The centred transform is a plain one between two diagonal phases: those in image space become part of the maps,
    those in k-space part of the mask, and nothing is shifted. In A^H A the latter cancel; so does, where whole readouts
    are sampled, the transform along them. Inside, the readout is the first axis of space, so that what is left to
    transform lies together in memory.

    Parameters
    ----------
    maps
        (batch or 1, coils, [z,] y, x) complex.
    mask
        Bool, (batch or 1, 1 or coils, [kz,] ky, kx). A last axis of 1 says that whole readouts are sampled.
    """

    def __init__(self, maps: Tensor, mask: Tensor) -> None:
        phased_maps, phased_mask = maps, mask.to(maps.dtype)
        self._axes = tuple(range(2 - maps.ndim, 0))
        for axis in self._axes:
            image_phase, kspace_phase = _centring_phases(maps, axis)
            phased_maps = phased_maps * image_phase
            phased_mask = phased_mask * kspace_phase
        self._undersampled = self._axes[1:] if mask.shape[-1] == 1 else self._axes
        self._maps = phased_maps.movedim(-1, 2).contiguous()
        self._conjugate = self._maps.conj().resolve_conj()  # once, instead of in every combination of coils
        self._mask = mask.movedim(-1, 2)
        self._phased_mask = phased_mask.movedim(-1, 2)

    def __call__(self, x: Tensor, /) -> Tensor:
        """Predict what the coils would have sampled."""
        coils = self._maps * x.movedim(-1, 1).unsqueeze(1)
        return (torch.fft.fftn(coils, dim=self._axes, norm="ortho") * self._phased_mask).movedim(2, -1).contiguous()

    def adjoint(self, y: Tensor, /) -> Tensor:
        """Transform what was sampled and combine the coils: the zero-filled image."""
        sampled = y.movedim(-1, 2) * self._phased_mask.conj()
        return _combined(torch.fft.ifftn(sampled, dim=self._axes, norm="ortho"), self._conjugate)

    def normal(self, x: Tensor, /) -> Tensor:
        """Apply A^H A."""
        if x.device.type != "cpu":
            return self._normal(x, self._maps, self._mask, self._conjugate)
        # few items at a time: their coil images stay in the processor's cache, and in memory that is not given back
        parts = [part.expand(len(x), *part.shape[1:]) for part in (self._maps, self._mask, self._conjugate)]
        many = max(1, _CACHE_BYTES // (self._maps[0].numel() * self._maps.element_size()))
        items = (slice(i, i + many) for i in range(0, len(x), many))
        return torch.cat([self._normal(x[item], *(part[item] for part in parts)) for item in items])

    def _normal(self, x: Tensor, maps: Tensor, mask: Tensor, conjugate: Tensor) -> Tensor:
        coils = maps * x.movedim(-1, 1).contiguous().unsqueeze(1)
        sampled = torch.fft.fftn(coils, dim=self._undersampled).mul_(mask)
        return _combined(torch.fft.ifftn(sampled, dim=self._undersampled), conjugate)


def _combined(coils: Tensor, conjugate: Tensor) -> Tensor:
    return coils.mul_(conjugate).sum(dim=1).movedim(1, -1).contiguous()


def _centring_phases(maps: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Phases p, q along an axis with (centred transform of x) = q (plain transform of p x).

    With c = n // 2, -(k - c)(j - c) = c (k - c) - k j + c j in the exponent exp(2 pi i .../n). Signs where n is even.
    """
    n = maps.shape[axis]
    c, index = n // 2, torch.arange(n, device=maps.device)
    turns = torch.stack((index * c, (index - c) * c)) % n  # whole numbers, so that no precision is lost for large n
    angles = turns.double() * (2 * torch.pi / n)
    phases = torch.polar(torch.ones_like(angles), angles).to(maps.dtype)
    image_phase, kspace_phase = phases.view(2, n, *(1,) * (-1 - axis))
    return image_phase, kspace_phase
