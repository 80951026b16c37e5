"""Where the shared images and scans lie, which this repository does not hold."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

_BESIDE = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def shared_data() -> Path:
    """Return the folder of images/ and raw/: what ``ECHOTRAIN_DATA`` names, or ../shared/data beside the checkout.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    named = os.environ.get("ECHOTRAIN_DATA")
    folder = Path(named) if named else _BESIDE
    if not (folder / "raw").is_dir() and not (folder / "images").is_dir():
        place = "the folder that ECHOTRAIN_DATA names" if named else "../shared/data beside the repository"
        raise FileNotFoundError(
            f"the shared scans are missing: expected {place} ({folder}) to hold raw/*.h5 and images/*.h5 "
            "(ECHOTRAIN_DATA names another folder)"
        )
    return folder


def read_images(path: Path | str) -> NDArray[np.uint8]:
    """Read the magnitude images of a file of images/.

    Parameters
    ----------
    path
        An HDF5 file with the data set ``image``; a relative one that is not there is looked for in the shared data.

    Returns
    -------
    ndarray
        (slices, y, x) uint8, the front of the head up.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    file = Path(path)
    if not file.is_file():
        file = shared_data() / path
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; its place is images/ of the shared data (ECHOTRAIN_DATA)")
    with h5py.File(file) as opened:
        return np.asarray(opened["image"][()], np.uint8)
