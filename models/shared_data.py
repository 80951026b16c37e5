"""Where the shared images and scans lie, which this repository does not hold."""

from __future__ import annotations

import os
from collections.abc import Collection
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
    with h5py.File(_image_file(path)) as opened:
        return np.asarray(opened["image"][()], np.uint8)


def read_subjects(path: Path | str) -> tuple[str, ...]:
    """Return whose slice each of ``read_images`` is.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    with h5py.File(_image_file(path)) as opened:
        return tuple(opened["subject"].asstr()[()])


def split_images(path: Path | str, subjects: Collection[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read images like ``read_images``, those of some subjects apart.

    Returns
    -------
    others, chosen
        Both (slices, y, x) uint8.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        No slice is of a subject that is named, or none is of another.
    """
    with h5py.File(_image_file(path)) as opened:
        images = np.asarray(opened["image"][()], np.uint8)
        owners = opened["subject"].asstr()[()]
    for subject in subjects:
        if subject not in owners:
            raise ValueError(f"got the subject {subject!r}, known in {path}: {', '.join(sorted(set(owners)))}")
    chosen = np.isin(owners, list(subjects))
    if chosen.all():
        raise ValueError(f"all subjects of {path} are chosen; expected others to be left")
    return images[~chosen], images[chosen]


def read_sources(path: Path | str) -> tuple[str, ...]:
    """Return the names of all data sets that a file of images/ was made of, sorted; see ``ATTRIBUTIONS``.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    with h5py.File(_image_file(path)) as opened:
        return tuple(sorted(set(opened["source"].asstr()[()])))


def _image_file(path: Path | str) -> Path:
    file = Path(path)
    if not file.is_file():
        file = shared_data() / path
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; its place is images/ of the shared data (ECHOTRAIN_DATA)")
    return file
