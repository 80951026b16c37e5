"""Images in MRD HDF5 files, laid out as ``ismrmrd.Dataset.append_image`` does: group ``dataset/image_SERIES``."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigurationError, DataError
from .image_meta import parse_meta, serialize_meta
from .messages import Image
from .mrd_layout import DATA_TYPE_CODES, DATA_TYPES, IMAGE_DTYPE

GROUP = "dataset"
_COMPLEX = {np.dtype("<c8"): "<f4", np.dtype("<c16"): "<f8"}


class ImageFile:
    """An MRD file that images are appended to; a context manager.

    Parameters
    ----------
    path
        File to make.
    overwrite
        Whether an existing file is replaced; otherwise that is an error.

    Raises
    ------
    ConfigurationError
        The file is there and may not be replaced, or it cannot be made.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        import h5py  # HDF5 is loaded only where a file is read or written

        self.path = path
        try:
            self._file = h5py.File(path, "w" if overwrite else "x")
        except FileExistsError:
            raise ConfigurationError(f"{path} is there already; images are not written over it unless asked") from None
        except OSError as error:
            raise ConfigurationError(f"images cannot be written to {path}: {error}") from error
        self._series: dict[str, Any] = {}

    def append(self, image: Image) -> None:
        """Write one image after the others of its series, and flush it.

        Raises
        ------
        DataError
            It has another shape or data type than the series' first image: a group cannot hold both.
        """
        series = f"image_{int(image.header['image_series_index'])}"
        pixels = image.pixels
        dtype = pixels.dtype.newbyteorder("<")
        if series not in self._series:
            self._series[series] = self._create(series, pixels.shape, dtype)
        header_set, text_set, pixel_set = self._series[series]
        stored = _stored(dtype)
        if pixel_set.shape[1:] != pixels.shape or pixel_set.dtype != stored:
            raise DataError(
                f"an image of series {series!r} has shape {pixels.shape} of {dtype}, expected {pixel_set.shape[1:]} of "
                f"{pixel_set.dtype} as its first; images that differ belong in series of their own"
            )
        attributes = serialize_meta(image.meta)
        header = np.array(image.header, IMAGE_DTYPE)
        header["attribute_string_len"] = len(attributes)
        header["data_type"] = DATA_TYPE_CODES[dtype]
        number = len(header_set)
        for table in (header_set, text_set, pixel_set):
            table.resize(number + 1, axis=0)
        header_set[number] = header
        text_set[number] = attributes.decode()
        pixel_set[number] = np.ascontiguousarray(pixels, dtype).view(stored)
        self._file.flush()

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._series.clear()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _create(self, series: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Any, Any, Any]:
        if dtype not in DATA_TYPE_CODES:
            known = ", ".join(str(d) for d in DATA_TYPE_CODES)
            raise DataError(f"an image of series {series!r} has pixels of {dtype}, expected one of {known}")
        import h5py

        group = self._file.require_group(f"{GROUP}/{series}")
        return (
            group.create_dataset("header", (0,), maxshape=(None,), dtype=IMAGE_DTYPE),
            group.create_dataset("attributes", (0,), maxshape=(None,), dtype=h5py.string_dtype()),
            # one image a chunk: written and read whole
            group.create_dataset(
                "data", (0, *shape), maxshape=(None, *shape), chunks=(1, *shape), dtype=_stored(dtype)
            ),
        )


def read_images(path: Path) -> list[Image]:
    """Read all images of an MRD file, series by series.

    Raises
    ------
    OSError
        The file cannot be opened or is no HDF5.
    DataError
        It holds no images, or a header and its pixels disagree.
    """
    import h5py

    images: list[Image] = []
    with h5py.File(path, "r") as file:
        group = file.get(GROUP)
        names = [] if group is None else [name for name in group if _is_series(group[name])]
        for name in sorted(names, key=_natural):
            headers = group[name]["header"][()].astype(IMAGE_DTYPE)
            texts, pixels = group[name]["attributes"][()], group[name]["data"][()]
            if not len(headers) == len(texts) == len(pixels):
                raise DataError(f"{path}: {name} has {len(headers)} headers, {len(texts)} texts, {len(pixels)} images")
            for header, text, stored in zip(headers, texts, pixels, strict=True):
                code = int(header["data_type"])
                if code not in DATA_TYPES:
                    raise DataError(f"{path}: an image of {name} has data type {code}, expected 1 to 8")
                data = _plain(stored).astype(DATA_TYPES[code], copy=False)
                meta = parse_meta(text if isinstance(text, bytes) else text.encode())
                images.append(Image(np.array(header, IMAGE_DTYPE), data, meta))
    if not images:
        raise DataError(f"{path} holds no images; expected groups {GROUP}/image_0, {GROUP}/image_1 ...")
    return images


def _stored(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The HDF5 type: complex numbers are pairs named real and imag."""
    part = _COMPLEX.get(dtype)
    return dtype if part is None else np.dtype([("real", part), ("imag", part)])


def _plain(stored: NDArray[Any]) -> NDArray[Any]:
    if stored.dtype.names is None:
        return stored
    part = stored.dtype[0]
    return stored.view(np.dtype(f"<c{2 * part.itemsize}"))


def _is_series(group: Any) -> bool:
    return hasattr(group, "keys") and {"header", "attributes", "data"} <= set(group)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
