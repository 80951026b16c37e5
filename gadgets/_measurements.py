"""From k-space with coil maps to what a reconstruction takes, and from its image to a message."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..engine.messages import MetaValue
from ..engine.provenance import scan_labels
from ..engine.records import CalibratedKSpace, KSpace, Reconstruction, TrajectoryKSpace
from ..models.fourier import resized
from .reconstruct_fourier import reconstruction_grid

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    import torch
    from torch import Tensor

    from ..models.measurements import Measurements


def measurements_of(calibrated: CalibratedKSpace, device: torch.device | str = "cpu") -> Measurements:
    """Put k-space onto the grid of its maps, as a batch of one.

    K-space is cropped or zero-padded to ``reconstruction_grid``. Embedded calibration lines are lines of this very
    image, so they count as sampled. Columns that no readout filled do not.

    Parameters
    ----------
    calibrated
        K-space (coils, kz, ky, kx) and maps (coils, z, y, x).
    device
        Where the tensors are to be.

    Returns
    -------
        K-space (1, coils, [z,] y, x) complex64, 4-D where there is one partition, else 5-D; its mask, with 1 as last
        axis where whole readouts were sampled; its maps. The noise is sqrt(2) for prewhitened data (real and imaginary
        parts have unit variance), else unknown.

    Raises
    ------
    ValueError
        The maps are on another grid or of other coils.
    """
    import torch

    from ..models.measurements import Measurements

    kspace = calibrated.kspace
    sizes = reconstruction_grid(kspace.encoding)
    data, mask = on_grid(*acquired(kspace), kspace.sampled_columns, sizes)
    maps = np.array(calibrated.sensitivities, np.complex64, order="C")
    if sizes[0] == 1:
        data, maps, mask = data[:, 0], maps[:, 0], mask[0]
    return Measurements(
        kspace=torch.from_numpy(data)[None].to(device),
        mask=torch.from_numpy(mask)[None, None].to(device),
        maps=torch.from_numpy(maps)[None].to(device),
        noise=math.sqrt(2) if kspace.noise.prewhitened else None,
    )


def reconstruction_of(
    calibrated: CalibratedKSpace,
    image: Tensor,
    *,
    method: str,
    step: str,
    magnitude: bool = True,
    meta: Mapping[str, MetaValue] = MappingProxyType({}),
) -> Reconstruction:
    """Make a message of a reconstructed image.

    Prewhitened and fully sampled k-space gives images in units of ``SNR``: their noise has a standard deviation of 1 in
    real and imaginary part. Prewhitened k-space that was not fully sampled gives ``k-space noise``: the noise of an
    unfolded image is g sqrt(R) of that. Else units are arbitrary.

    Parameters
    ----------
    calibrated
        What it was reconstructed from.
    image
        (z, y, x) complex, or with the batch of one that a ``Reconstructor`` returns, on ``reconstruction_grid``; it is
        cropped to the reconstruction matrix.
    method
        Name of the reconstruction, e.g. ``sense``: one series each.
    step
        What was done, for the history.
    magnitude
        True for a float32 magnitude, False for the complex64 image.
    meta
        Metadata beside those of the scan.
    """
    kspace = calibrated.kspace
    grid = image.detach().cpu().numpy().reshape(reconstruction_grid(kspace.encoding))
    data: NDArray[Any] = resized(grid, kspace.encoding.recon.matrix[::-1], (0, 1, 2))
    data = np.abs(data).astype(np.float32, copy=False) if magnitude else data.astype(np.complex64)
    embedded = _embedded_lines(kspace)
    filled = () if embedded is None else (f"{int(embedded.sum())} embedded calibration lines taken as sampled",)
    return Reconstruction(
        key=kspace.key,
        data=data[np.newaxis],
        header=kspace.header,
        encoding=kspace.encoding,
        method=method,
        quantity="magnitude" if magnitude else "complex",
        unit=unit_of(kspace),
        variant=kspace.variant,
        history=(*calibrated.history, *filled, step),
        meta={**scan_labels(kspace), **meta},
    )


def acquired(kspace: KSpace) -> tuple[NDArray[np.complex64], NDArray[np.bool_]]:
    """Return what was acquired of an image: its imaging lines and its embedded calibration lines.

    Returns
    -------
    data
        (coils, kz, ky, kx) complex64 on the encoded grid.
    lines
        (kz, ky) bool.
    """
    embedded = _embedded_lines(kspace)
    if embedded is None or kspace.calibration is None:
        return kspace.data, kspace.sampled
    return np.where(embedded[..., None], kspace.calibration, kspace.data), kspace.sampled | embedded


def unit_of(kspace: KSpace | TrajectoryKSpace) -> str:
    """Unit of an image, as ``reconstruction_of`` says; gridding scales prewhitened images to SNR units itself."""
    if not kspace.noise.prewhitened:
        return "a.u."
    if isinstance(kspace, TrajectoryKSpace):
        return "SNR"
    embedded = _embedded_lines(kspace)
    lines = kspace.sampled if embedded is None else kspace.sampled | embedded
    sizes = reconstruction_grid(kspace.encoding)
    whole = _mask(lines, kspace.sampled_columns, kspace.data.shape[-1], sizes).all()
    return "SNR" if whole else "k-space noise"


def calibration_is_of_image(kspace: KSpace) -> bool:
    """Whether calibration lines were acquired with the image itself: lines of it that its undersampling left out."""
    return kspace.encoding.calibration_mode in {"embedded", "interleaved"}


def on_grid(
    data: NDArray[np.complex64], lines: NDArray[np.bool_], columns: slice, sizes: Sequence[int]
) -> tuple[NDArray[np.complex64], NDArray[np.bool_]]:
    """Crop or zero-pad k-space, and set to zero what was not sampled.

    Parameters
    ----------
    data
        (coils, kz, ky, kx) complex64.
    lines
        (kz, ky) bool: those sampled.
    columns
        Those sampled.
    sizes
        (z, y, x) of the new grid.

    Returns
    -------
    data
        (coils, z, y, x) complex64, a new array.
    mask
        (z, y, x) bool, or (z, y, 1) where whole readouts were sampled.
    """
    mask = _mask(lines, columns, data.shape[-1], sizes)
    return np.ascontiguousarray(resized(data, sizes, (1, 2, 3)) * mask), mask


def _mask(lines: NDArray[np.bool_], columns: slice, length: int, sizes: Sequence[int]) -> NDArray[np.bool_]:
    """(z, y, x or 1) bool: what was sampled of the grid of these sizes, given lines and the columns of ``length``."""
    read = np.zeros(length, np.bool_)
    read[columns] = True
    read = resized(read, sizes[2:], (0,))
    mask = resized(lines, sizes[:2], (0, 1))[..., np.newaxis]
    return np.ascontiguousarray(mask) if read.all() else mask & read


def _embedded_lines(kspace: KSpace) -> NDArray[np.bool_] | None:
    """(kz, ky) bool: calibration lines of the image itself that its undersampling left out; None without any."""
    if kspace.calibration_sampled is None or not calibration_is_of_image(kspace):
        return None
    lines: NDArray[np.bool_] = kspace.calibration_sampled & ~kspace.sampled
    return lines if lines.any() else None
