"""Perturbations of what a reconstruction sees, put into the k-space that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..engine.records import CalibratedKSpace
from ..models.fourier import resized
from ..models.perturbation.base import Specification
from ._measurements import calibration_is_of_image
from ._perturbation import meta_of, variant_of

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from torch import Tensor

    from ..models.measurements import Measurements


def volume_delta(delta: Tensor, volume: Measurements) -> NDArray[np.complex64]:
    """Return the perturbation of a volume, or of a single slice, as an array.

    Parameters
    ----------
    delta
        Of the volume itself, or of its slices (``as_slices``), (z, coils, ky, kx) complex64.
    volume
        (1, coils, [kz,] ky, kx).

    Returns
    -------
        (coils, kz, ky, kx) complex64, on the grid of the volume.
    """
    from ..models.operators.fourier import FourierOperator

    if volume.kspace.ndim == 4:
        delta = delta.unsqueeze(2)
    elif delta.ndim == 4:
        delta = FourierOperator((-3,))(delta.transpose(0, 1)[None])
    array: NDArray[np.complex64] = delta[0].cpu().numpy()
    return array


def perturbed_copy(
    message: CalibratedKSpace,
    delta: NDArray[np.complex64] | None,
    perturbation: Specification,
    step: str,
    labels: Mapping[str, str],
) -> CalibratedKSpace:
    """Return k-space with a perturbation added, as a variant of its own; the maps are those of the clean scan.

    Cropping and zero-padding of k-space keep the entries that both grids have, and the perturbation is zero elsewhere:
    so it comes back to the encoded grid as it is. Calibration lines that are lines of the image are perturbed like it.

    Parameters
    ----------
    message
        The clean scan.
    delta
        (coils, kz, ky, kx) complex64 on ``reconstruction_grid``, zero where ``measurements_of`` has nothing sampled;
        None for a copy that is the same to the bit.
    perturbation
        For its name, and for the metadata, from which it can be made again.
    step
        What was done, for the history.
    labels
        Metadata beside those.
    """
    kspace = message.kspace
    changes: dict[str, Any] = {
        "variant": variant_of(kspace.variant, perturbation),
        "meta": {**meta_of(kspace.meta, perturbation), **labels},
        "history": (*kspace.history, step),
    }
    if delta is not None:
        delta = resized(delta, kspace.data.shape[1:], (1, 2, 3))
        changes["data"] = _added(kspace.data, delta, kspace.sampled)
        if kspace.calibration is not None and calibration_is_of_image(kspace):
            assert kspace.calibration_sampled is not None  # comes with them
            changes["calibration"] = _added(kspace.calibration, delta, kspace.calibration_sampled)
    return replace(message, kspace=replace(kspace, **changes), history=(*message.history, step))


def _added(
    data: NDArray[np.complex64], delta: NDArray[np.complex64], lines: NDArray[np.bool_]
) -> NDArray[np.complex64]:
    return np.asarray(np.where(lines[..., np.newaxis] & (delta != 0), data + delta, data), np.complex64)
