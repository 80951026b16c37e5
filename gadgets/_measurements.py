"""From k-space with coil maps to what a reconstruction takes, and from its image to a message."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..engine.messages import MetaValue
from ..engine.provenance import scan_labels
from ..engine.records import CalibratedKSpace, KSpace, Reconstruction
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
    data, lines = kspace.data, kspace.sampled
    embedded = _embedded_lines(kspace)
    if embedded is not None and kspace.calibration is not None:
        data, lines = np.where(embedded[..., None], kspace.calibration, data), lines | embedded
    columns = np.zeros(data.shape[-1], np.bool_)
    columns[kspace.sampled_columns] = True
    mask = resized(lines, sizes[:2], (0, 1))[..., None]
    columns = resized(columns, sizes[2:], (0,))
    if not columns.all():
        mask = mask & columns
    data = resized(data, sizes, (1, 2, 3)) * mask
    maps = np.array(calibrated.sensitivities, np.complex64, order="C")
    if sizes[0] == 1:
        data, maps, mask = data[:, 0], maps[:, 0], mask[0]
    return Measurements(
        kspace=torch.from_numpy(np.ascontiguousarray(data))[None].to(device),
        mask=torch.from_numpy(np.ascontiguousarray(mask))[None, None].to(device),
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
        unit="SNR" if kspace.noise.prewhitened else "a.u.",
        variant=kspace.variant,
        history=(*calibrated.history, *filled, step),
        meta={**scan_labels(kspace), **meta},
    )


def _embedded_lines(kspace: KSpace) -> NDArray[np.bool_] | None:
    """(kz, ky) bool: calibration lines of the image itself that its undersampling left out; None without any."""
    if kspace.calibration_sampled is None or kspace.encoding.calibration_mode != "embedded":
        return None
    lines: NDArray[np.bool_] = kspace.calibration_sampled & ~kspace.sampled
    return lines if lines.any() else None
