"""Undersampled scans of several coils, simulated from magnitude images: what networks are trained on.

The images are magnitude images, some of them filtered by a scanner: figures from what is simulated of them say so
(E. Shimron et al., PNAS 119, e2117203119 (2022)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import fft
from torch import Tensor

from ..fourier import centre, centred_fft, centred_ifft
from ..measurements import Measurements
from .acquisition_range import AcquisitionRange, MaskKind
from .calibration_maps import coarse_espirit_maps, low_resolution_maps
from .noisy_kspace import noisy_kspace
from .phantom_grid import resize_centred
from .poisson_order import poisson_points
from .random_coils import random_sensitivities
from .random_contrast import random_contrast
from .random_masks import LINE_MASKS, calibration_lines
from .random_phase import random_phase, tissue_phase

_CALIBRATION_COLUMNS = 24  # of the fully sampled readouts: more do not make maps better
_STRIPS = 2  # of each slice that is cut into strips: heads are some three strips wide

_Slice = tuple[NDArray[np.complex64], NDArray[np.bool_], NDArray[np.complex64], NDArray[np.complex64]]
"""K-space (coils, ky, kx), mask (ky, kx or 1), maps (coils, y, x), target (y, x)."""


@dataclass(frozen=True)
class TrainingBatch:
    """Simulated measurements and what a perfect reconstruction would make of them."""

    measurements: Measurements
    """In SNR units: the complex noise of a sample has a standard deviation of 1 (0 where there is none)."""
    target: Tensor
    """(batch, y, x) complex64: the noise-free coil images, combined with the maps of the measurements."""


class SimulatedSlices:
    """Batches of simulated acquisitions; any batch can be asked for at any time and is always the same.

    Parameters
    ----------
    images
        (N, y, x) uint8 magnitude images, at least as large as the crop.
    acquisition_range
        What varies.
    seed
        With the same seed, batch number n is the same to the bit.

    Raises
    ------
    ValueError
        The images have another shape or type.
    """

    def __init__(self, images: NDArray[np.uint8], acquisition_range: AcquisitionRange, seed: int) -> None:
        if images.ndim != 3 or images.dtype != np.uint8 or not len(images):
            raise ValueError(f"images are {images.shape} {images.dtype}, expected (N, y, x) uint8, N at least 1")
        self._images, self._range, self._seed = images, acquisition_range, seed

    def batch(self, number: int, size: int) -> TrainingBatch:
        """Simulate one batch.

        Parameters
        ----------
        number
            Which one, from 0.
        size
            Slices in it: drawn from the images, with replacement.
        """
        rng = np.random.default_rng([self._seed, number])
        drawn = self._range
        coils = round(np.exp(rng.uniform(*np.log(drawn.coils))))
        sides = range(drawn.crop[0], drawn.crop[1] + 1, 8)
        shape = (int(rng.choice(sides)), int(rng.choice(sides)))
        # points and whole readouts are not mixed: where a batch has readouts only, reconstructions are faster
        kind = rng.choice(drawn.masks)
        kinds = (kind,) if kind == "poisson_disc" else tuple(k for k in drawn.masks if k != "poisson_disc")
        if drawn.strip is None:
            slices = [self._slice(coils, shape, kinds, stream) for stream in rng.spawn(size)]
        else:
            wholes = [(self._slice(coils, shape, kinds, stream), stream) for stream in rng.spawn(-(-size // _STRIPS))]
            slices = [strip(whole, drawn.strip, stream) for whole, stream in wholes for _ in range(_STRIPS)][:size]
        kspace, mask, maps, target = (torch.from_numpy(np.stack(part)) for part in zip(*slices, strict=True))
        noise = 1.0 if np.isfinite(drawn.snr[0]) else 0.0
        return TrainingBatch(Measurements(kspace, mask[:, None], maps, noise), target)

    def _slice(
        self, coils: int, shape: tuple[int, int], kinds: tuple[MaskKind, ...], rng: np.random.Generator
    ) -> _Slice:
        drawn = self._range
        magnitude = random_view(self._images[rng.integers(len(self._images))], shape, rng.uniform(*drawn.window), rng)
        if drawn.contrast:
            magnitude = random_contrast(magnitude, rng)
        image = magnitude * random_phase(shape, rng)
        if drawn.phase[1] > 0:
            image *= tissue_phase(magnitude, rng, rng.uniform(*drawn.phase))
        distance, correlation = rng.uniform(*drawn.distance), rng.uniform(*drawn.correlation)
        sensitivities = random_sensitivities(coils, shape, rng, distance, correlation)
        acceleration = float(np.exp(rng.uniform(*np.log(drawn.acceleration))))
        lines = calibration_lines(shape[0], acceleration)
        kind = rng.choice(kinds)
        if kind == "poisson_disc":
            mask = poisson_points(shape, acceleration, rng, centre=lines)
        else:
            mask = LINE_MASKS[kind](shape[0], acceleration, rng)[:, None]

        low, high = np.log(drawn.snr)
        snr = float(np.exp(rng.uniform(low, high))) if np.isfinite(high) else np.inf
        coil_images, kspace = noisy_kspace(image, sensitivities, snr, rng)
        columns = lines if kind == "poisson_disc" else _CALIBRATION_COLUMNS
        calibration = np.ascontiguousarray(centre(kspace, (coils, lines, min(columns, shape[1]))))
        match rng.choice(drawn.maps):
            case "true":
                maps = sensitivities / np.sqrt(np.sum(np.abs(sensitivities) ** 2, axis=0))
            case "low_resolution":
                maps = low_resolution_maps(calibration, shape)
            case _:
                maps = coarse_espirit_maps(calibration, shape)
        return kspace * mask, mask, maps, np.sum(maps.conj() * coil_images, axis=0)


def strip(whole: _Slice, width: int, rng: np.random.Generator) -> _Slice:
    """Cut columns out of a slice whose readouts are sampled whole, about a random column of the body.

    The strip's own transform along x is as orthonormal as the slice's: noise stays white, and of the same variance.

    Parameters
    ----------
    whole
        The slice.
    width
        Columns to keep, at most all.
    rng
        Source of randomness.
    """
    kspace, mask, maps, target = whole
    power = np.sum(np.abs(target) ** 2, axis=0)
    body = np.flatnonzero(power > 0.05 * power.max())
    first = int(np.clip(rng.choice(body) - width // 2, 0, target.shape[1] - width))
    cut = np.s_[..., first : first + width]
    columns = centred_fft(np.ascontiguousarray(centred_ifft(kspace, (-1,))[cut]), (-1,))
    return columns, mask, maps[cut], target[cut]


def random_view(
    image: NDArray[np.uint8], shape: tuple[int, int], window: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Cut a random window out of an image, turn and flip it, and resample it to a shape.

    Parameters
    ----------
    image
        (y, x) magnitudes.
    shape
        (y, x) of the result.
    window
        Share of the image's shorter side, above 1 with air around it, the image anywhere in it; pixels are never made
        smaller, so a window is at least as large as the shape.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        (y, x) float32, up to about 1.
    """
    turned = np.rot90(image, int(rng.integers(4)))[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
    scale = max(window * min(turned.shape) / max(shape), 1.0)
    size = [round(scale * n) for n in shape]
    kept = [min(n, whole) for n, whole in zip(size, turned.shape, strict=True)]
    first = [int(rng.integers(whole - n, endpoint=True)) for n, whole in zip(kept, turned.shape, strict=True)]
    part = turned[first[0] : first[0] + kept[0], first[1] : first[1] + kept[1]].astype(np.float32)
    # eight bits are steps, which neither tissue nor a scanner has: zero is left, as publishers set air to it
    steps = rng.uniform(-0.5, 0.5, size=part.shape).astype(np.float32)
    grey = np.where(part > 0, part + steps, 0).astype(np.float32) / 255
    before = [int(rng.integers(n - have, endpoint=True)) for n, have in zip(size, kept, strict=True)]
    widths = [(b, n - have - b) for b, n, have in zip(before, size, kept, strict=True)]
    spectrum = resize_centred(fft.fftshift(fft.fft2(np.pad(grey, widths), norm="forward")), shape)
    resampled = fft.ifft2(fft.ifftshift(spectrum), norm="forward").real
    return np.maximum(resampled, 0)
