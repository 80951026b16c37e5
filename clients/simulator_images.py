"""Images from a file, to be scanned by the simulator."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from ..engine.errors import ConfigurationError


def read_images(path: Path, first: int, count: int) -> NDArray[np.float64]:
    """Read magnitude images.

    Parameters
    ----------
    path
        HDF5 with a dataset ``image`` (slice, row, column), .npy of (row, column) or (slice, row, column), or an image
        that pillow reads, made grey.
    first, count
        Which slices.

    Returns
    -------
    ndarray
        (count, rows, columns) float64, divided by the largest value.

    Raises
    ------
    ConfigurationError
        No such file, no image in it, fewer slices than asked for, complex or empty images.
    """
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}")
    if h5py.is_hdf5(path):
        images, total = _from_hdf5(path, first, count)
    elif path.suffix == ".npy":
        images, total = _from_numpy(path, first, count)
    else:
        images, total = _from_picture(path)[first : first + count], 1
    if len(images) < count:
        raise ConfigurationError(f"{path} has {total} images, expected at least {first + count} (from {first} on)")
    if np.iscomplexobj(images) or not np.isfinite(images).all() or not images.max() > 0:
        raise ConfigurationError(f"the images of {path} are complex, not finite or empty; expected magnitudes")
    return images.astype(np.float64) / float(images.max())


def _from_hdf5(path: Path, first: int, count: int) -> tuple[NDArray[np.generic], int]:
    try:
        with h5py.File(path, "r") as file:
            if "image" not in file or getattr(file["image"], "ndim", 0) != 3:
                known = ", ".join(sorted(file)) or "nothing"
                raise ConfigurationError(f"{path} has no dataset 'image' (slice, row, column); it holds {known}")
            return file["image"][first : first + count], len(file["image"])
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error


def _from_numpy(path: Path, first: int, count: int) -> tuple[NDArray[np.generic], int]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3:
        raise ConfigurationError(f"{path} has shape {array.shape}, expected (row, column) or (slice, row, column)")
    return array[first : first + count], len(array)


def _from_picture(path: Path) -> NDArray[np.generic]:
    from PIL import Image, UnidentifiedImageError  # only this kind of file needs it

    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("F"))[None]
    except (OSError, UnidentifiedImageError) as error:
        raise ConfigurationError(f"{path} is no HDF5, .npy or picture file: {error}") from error
