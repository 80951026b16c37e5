"""A structure that is to show in an image of a scan."""

from __future__ import annotations

from ..engine.errors import DataError
from ..engine.records import CalibratedKSpace
from ..models.perturbation.specification import Structure
from ..models.perturbation.structure import Inserted, inserted
from ._device import device_of
from ._iterative import finite_measurements
from .reconstruct_fourier import reconstruction_grid

_ITERATIONS = 12
"""Of the conjugate gradients that tell how bright the scan is where the structure goes."""


def structure_in(
    message: CalibratedKSpace, structure: Structure, *, seed: int, device: str, gadget: str
) -> tuple[Inserted, str]:
    """Make a structure for a scan, as bright as its contrast says beside what CG-SENSE shows there.

    Parameters
    ----------
    message
        The scan.
    structure
        What to make.
    seed
        Of the place, where it is drawn; each image has its own.
    device
        As a chain names it.
    gadget
        Name for errors.

    Returns
    -------
    made
        On the grid of the reconstruction.
    where
        Place and amplitude in words.

    Raises
    ------
    DataError
        The header gives no field of view, or the structure fits nowhere.
    """
    from ..models.classical.cg_sense import CGSense

    kspace, encoding = message.kspace, message.kspace.encoding
    grid = reconstruction_grid(encoding)
    extent = encoding.encoded.field_of_view[::-1]
    if min(extent[1:]) <= 0:
        raise DataError(f"{gadget}: the header gives no field of view, which a diameter in mm needs")
    estimate = CGSense(iterations=_ITERATIONS)(finite_measurements(message, device_of(device)))
    image = estimate.cpu().numpy().reshape(grid)
    voxel = (extent[0] / grid[0], extent[1] / grid[1], extent[2] / grid[2])
    try:
        made = inserted(image, voxel, structure, seed=seed, purpose=f"structure of {tuple(kspace.key)}")
    except ValueError as error:
        raise DataError(f"{gadget}, slice {kspace.key.slice}: {error}") from error
    x, y, z = made.center
    return made, f"center {x:.2f}, {y:.2f}, {z:.2f} mm, amplitude {made.amplitude:.6g}"
