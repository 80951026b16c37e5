"""Orthogonal wavelet transforms of slices."""

from __future__ import annotations

import pywt
import torch
from ptwt.constants import WaveletDetailTuple2d
from ptwt.conv_transform_2 import wavedec2, waverec2
from torch import Tensor

from .linear_operator import LinearOperator


class WaveletOperator(LinearOperator):
    """Discrete wavelet transform: complex (..., y, x) to all its coefficients, (..., coefficients) complex.

    The transform of an image that is zero beyond its edges, by an orthogonal wavelet, with every coefficient that is
    not bound to be zero. So W^H W = 1 at any size, odd ones too; a few coefficients more than pixels are the price,
    except for the Haar wavelet at sizes that halve evenly at every level, where W is unitary.
    S. Mallat, A Wavelet Tour of Signal Processing, 3rd ed. (2008), chapter 7. The filtering is ptwt's.

    Parameters
    ----------
    shape
        (y, x) of the image.
    wavelet
        Name of an orthogonal wavelet as in pywt: ``haar``, ``db2``, ``sym4`` ...
    levels
        Times that the approximation is split, at most: no further than where the filter is longer than what is left,
        and not at all for a shape smaller than that.

    Raises
    ------
    ValueError
        The wavelet is unknown or not orthogonal.
    """

    def __init__(self, shape: tuple[int, int], wavelet: str = "db2", levels: int = 5) -> None:
        if wavelet not in pywt.wavelist(kind="discrete") or not pywt.Wavelet(wavelet).orthogonal:
            raise ValueError(f'wavelet is "{wavelet}", expected an orthogonal one: haar, db2 ..., sym2 ..., coif1 ...')
        self.shape = shape
        self.levels = min(levels, pywt.dwt_max_level(min(shape), wavelet))
        self._wavelet = pywt.Wavelet(wavelet)
        self._bands = [band.shape[1:] for band in self._split(torch.zeros(1, *shape))]

    def __call__(self, x: Tensor, /) -> Tensor:
        """Analyse: coarse coefficients first."""
        parts = torch.stack((x.real, x.imag)).flatten(0, -3)
        real, imaginary = torch.cat([band.flatten(1) for band in self._split(parts)], dim=1).chunk(2)
        return torch.complex(real, imaginary).view(*x.shape[:-2], -1)

    def adjoint(self, y: Tensor, /) -> Tensor:
        """Synthesise."""
        parts = torch.stack((y.real, y.imag)).flatten(0, -2)
        sizes = [band.numel() for band in self._bands]
        bands = [
            part.reshape(-1, *band) for part, band in zip(torch.split(parts, sizes, dim=1), self._bands, strict=True)
        ]
        real, imaginary = self._joined(bands).chunk(2)
        return torch.complex(real, imaginary).view(*y.shape[:-1], *self.shape)

    def normal(self, x: Tensor, /) -> Tensor:
        """Return x: W is an isometry."""
        return x

    def _split(self, images: Tensor) -> list[Tensor]:
        """Real (images, y, x) to its subbands, (images, y', x') each, coarsest first."""
        coarse, *levels = wavedec2(images, self._wavelet, mode="zero", level=self.levels)
        return [coarse, *(band for level in levels for band in level)]

    def _joined(self, bands: list[Tensor]) -> Tensor:
        levels = map(WaveletDetailTuple2d, bands[1::3], bands[2::3], bands[3::3])
        ny, nx = self.shape
        return waverec2((bands[0], *levels), self._wavelet)[:, :ny, :nx].contiguous()
