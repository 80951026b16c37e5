"""K-space with coil maps through a reconstruction, into a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..engine.errors import DataError
from ..engine.gadget import Signature
from ..engine.records import CalibratedKSpace, Reconstruction
from ..models.toml_text import toml_value
from ._measurements import measurements_of, reconstruction_of

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    import torch

    from ..models.measurements import Measurements, Reconstructor


def signature_of(*, keep_kspace: bool) -> Signature:
    """Message types of a gadget that reconstructs k-space with maps, and passes it on if asked to."""
    return Signature((CalibratedKSpace,), (Reconstruction, CalibratedKSpace) if keep_kspace else (Reconstruction,))


def reconstructed(
    message: CalibratedKSpace,
    reconstruct: Reconstructor,
    *,
    device: torch.device,
    method: str,
    step: str,
    magnitude: bool,
) -> Reconstruction:
    """Reconstruct one image or volume; arguments as for ``reconstruction_of``.

    Its metadata hold ``EchotrainMethodSettings``, in TOML: calibrations of ensembles go by them.

    Raises
    ------
    DataError
        As ``finite_measurements``.
    """
    from ..models.uncertainty.classical_members import settings_of

    measurements = finite_measurements(message, device)
    settings = settings_of(reconstruct)
    if measurements.kspace.ndim > 4:
        settings["volume"] = True  # errors are others than those of slices by themselves
    return reconstruction_of(
        message,
        reconstruct(measurements),
        method=method,
        step=step,
        magnitude=magnitude,
        meta={"EchotrainMethodSettings": f"{method} = {toml_value(settings)}"},
    )


def finite_measurements(message: CalibratedKSpace, device: torch.device) -> Measurements:
    """Return ``measurements_of`` a message.

    Raises
    ------
    DataError
        K-space and maps do not fit each other, or k-space holds values that are not finite.
    """
    place = f"slice {message.kspace.key.slice}"
    if not np.isfinite(message.kspace.data).all():
        raise DataError(
            f"{place}: k-space holds values that are not finite, expected finite samples; check_readouts, earlier in "
            "the chain, finds the readouts"
        )
    try:
        return measurements_of(message, device)
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error
