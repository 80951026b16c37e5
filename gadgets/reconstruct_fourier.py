"""Coil images by the inverse Fourier transform."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..engine.gadget import Gadget
from ..engine.mrd_header import Encoding
from ..engine.records import CoilImages, KSpace
from ..models.fourier import centred_ifft, resized


@dataclass(kw_only=True)
class ReconstructFourier(Gadget[KSpace, CoilImages]):
    """Transform k-space to coil images, centred and orthonormal, 2-D or 3-D, on the grid of the reconstruction space.

    Oversampling is cropped in the image; where the reconstruction matrix is finer than the encoded one, k-space is
    padded with zeros. Undersampled k-space stays aliased, and the history says so.
    """

    heavy: ClassVar[bool] = True  # one image is transformed while the next is gathered

    def receive(self, message: KSpace) -> Iterable[CoilImages]:
        """Reconstruct one image per coil."""
        images = transformed(message.data, message.encoding)
        step = "reconstruct_fourier: centred orthonormal inverse Fourier transform"
        if max(message.encoding.acceleration) > 1:
            r = " x ".join(str(factor) for factor in message.encoding.acceleration)
            step += f", acceleration {r} not unfolded"
        return (CoilImages(message, images, "fourier", (*message.history, step)),)


def transformed(kspace: NDArray[np.complex64], encoding: Encoding) -> NDArray[np.complex64]:
    """K-space (coils, kz, ky, kx) on the encoded grid to coil images (coils, z, y, x) of the reconstruction matrix."""
    axes = (1, 2, 3)
    images = centred_ifft(resized(kspace, reconstruction_grid(encoding), axes), axes)
    return resized(images, encoding.recon.matrix[::-1], axes)


def reconstruction_grid(encoding: Encoding) -> tuple[int, int, int]:
    """Size (z, y, x) of the transform: the encoded field of view at the pixel size of the reconstruction space.

    Without fields of view in the header, the pixels of both spaces are taken to be of one size.
    """
    sizes = []
    for axis in (2, 1, 0):
        encoded, recon = encoding.encoded, encoding.recon
        n_encoded, n_recon = encoded.matrix[axis], recon.matrix[axis]
        if encoded.field_of_view[axis] > 0 and recon.field_of_view[axis] > 0:
            n = round(n_recon * encoded.field_of_view[axis] / recon.field_of_view[axis])
            sizes.append(max(n, n_recon, 1))
        else:
            sizes.append(max(n_encoded, n_recon))
    return (sizes[0], sizes[1], sizes[2])
