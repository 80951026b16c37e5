"""Reconstructions as MRD images: geometry, times, indices and metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import DataError
from ..engine.gadget import Context, Gadget
from ..engine.messages import Image, MetaValue
from ..engine.mrd_layout import DATA_TYPE_CODES, IMAGE_DTYPE, ImageType
from ..engine.provenance import engine_labels
from ..engine.records import Reconstruction
from ._remarks import remarks_of

Series = tuple[str, str, str, tuple[int, ...], str]
"""Variant, method, quantity, and shape and type of the pixels: a file keeps a series as one array."""

_COPIED = ("measurement_uid", "acquisition_time_stamp", "physiology_time_stamp", "patient_table_position", "position")
_IDENTITY = {"read_dir": (1.0, 0.0, 0.0), "phase_dir": (0.0, 1.0, 0.0), "slice_dir": (0.0, 0.0, 1.0)}
_IMAGE_TYPES = {"magnitude": ("M", ImageType.MAGNITUDE), "complex": ("C", ImageType.COMPLEX)}


@dataclass(kw_only=True)
class MakeImages(Gadget[Reconstruction, Image]):
    """Orient images and fill their headers and metadata.

    Pixels stand as they were encoded: x runs along the readout direction, y along the phase encoding, z along the
    slice direction; positions and directions are patient coordinates in mm. Images of one variant, method, quantity
    and matrix make a series and are numbered from 1 as they leave.
    """

    _context: Context = field(init=False)
    _series: dict[Series, int] = field(init=False, default_factory=dict)
    _count: dict[Series, int] = field(init=False, default_factory=dict)
    _window: dict[Series, tuple[float, float]] = field(init=False, default_factory=dict)

    def start(self, context: Context) -> None:
        """Note what goes into every image."""
        self._context = context

    def receive(self, message: Reconstruction) -> Iterable[Image]:
        """Make one image."""
        shape = tuple(message.data.shape)
        series = (message.variant, message.method, message.quantity, shape, message.data.dtype.name)
        number = self._series.setdefault(series, len(self._series))
        self._count[series] = count = self._count.get(series, 0) + 1
        pixels = np.ascontiguousarray(message.data)
        dtype = pixels.dtype.newbyteorder("<")
        if pixels.ndim != 4 or dtype not in DATA_TYPE_CODES or max(pixels.shape) > 0xFFFF:
            raise DataError(
                f"a reconstruction has shape {pixels.shape} of {pixels.dtype}, expected (channels, z, y, x), each up "
                f"to 65535, of one of {', '.join(sorted(str(d) for d in DATA_TYPE_CODES))}"
            )
        letter, kind = _IMAGE_TYPES.get(message.quantity, (message.quantity.upper(), ImageType.REAL))
        header = np.zeros((), IMAGE_DTYPE)
        header["version"] = 1
        header["data_type"] = DATA_TYPE_CODES[dtype]
        header["matrix_size"] = pixels.shape[:0:-1]
        header["channels"] = pixels.shape[0]
        header["image_type"] = kind
        header["image_index"] = (count - 1) % 0xFFFF + 1  # the field has 16 bits
        header["image_series_index"] = number
        for name in _COPIED:
            header[name] = message.header[name]
        for name in ("average", "slice", "contrast", "phase", "repetition", "set"):
            header[name] = getattr(message.key, name)
        notes = list(self._context.header.notes)
        self._orient(header, message, notes)
        self._measure(header, message, notes)
        meta = self._meta(message, series, header, pixels, notes)
        meta["ImageType"] = ("DERIVED", "PRIMARY", letter, "ECHOTRAIN")
        return (Image(header, pixels, meta),)

    @staticmethod
    def _orient(header: NDArray[np.void], message: Reconstruction, notes: list[str]) -> None:
        """Copy the directions, or say that there are none."""
        given = all(np.linalg.norm(message.header[name]) > 0 for name in _IDENTITY)
        for name, axis in _IDENTITY.items():
            header[name] = message.header[name] if given else axis
        if not given:
            notes.append("the readouts give no directions: x, y and z are taken as patient axes")

    @staticmethod
    def _measure(header: NDArray[np.void], message: Reconstruction, notes: list[str]) -> None:
        """Set the field of view in mm, or say that the header gives none."""
        space = message.encoding.recon
        if min(space.field_of_view) > 0:
            header["field_of_view"] = space.field_of_view
        else:
            header["field_of_view"] = space.matrix
            notes.append("the header gives no field of view: pixels are taken as 1 mm")

    def _meta(
        self, message: Reconstruction, series: Series, header: NDArray[np.void], pixels: NDArray[Any], notes: list[str]
    ) -> dict[str, MetaValue]:
        name = self._context.header.series_description or self._context.header.protocol_name or "echotrain"
        center, width = self._windowed(series, pixels, message.meta)
        variant = "" if message.variant == "acquired" else f"_{message.variant}"
        quantity = "" if message.quantity == "magnitude" else f"_{message.quantity}"
        comments = [f"{message.method}, {message.unit}"]
        if message.meta.get("EchotrainComplete") == "false":
            comments.append(f"INCOMPLETE: {message.meta['EchotrainMissingLines']} lines missing")
        comments += remarks_of(message.meta)
        return {
            "DataRole": "Image" if message.quantity in _IMAGE_TYPES else ("Quantitative", message.quantity),
            "SeriesDescription": f"{name}_{message.method}{quantity}{variant}",
            "ImageComments": "; ".join([*comments, *notes]),
            "ImageProcessingHistory": ("ECHOTRAIN", *message.history),
            "ImageRowDir": _vector(header["read_dir"]),
            "ImageColumnDir": _vector(header["phase_dir"]),
            "ImageSliceNormDir": _vector(header["slice_dir"]),
            "WindowCenter": f"{center:.6g}",
            "WindowWidth": f"{width:.6g}",
            "RescaleSlope": "1.0",
            "RescaleIntercept": "0.0",
            "Keep_image_geometry": "1",
            **engine_labels(self._context, message),
            **message.meta,  # a rescale of the pixels among them
        }

    def _windowed(self, series: Series, pixels: NDArray[Any], meta: Mapping[str, MetaValue]) -> tuple[float, float]:
        """Window of the series' first image that is not empty, in units after the rescale, so that none flickers."""
        if series not in self._window:
            values = np.abs(pixels) if np.iscomplexobj(pixels) else pixels
            low, high = min(0.0, float(values.min(initial=0))), float(values.max(initial=0))
            if high <= low:
                return (0.5, 1.0)
            slope = float(str(meta.get("RescaleSlope", "1.0")))
            self._window[series] = (slope * (low + high) / 2, slope * (high - low))
        return self._window[series]


def _vector(direction: NDArray[np.float32]) -> tuple[str, ...]:
    return tuple(f"{component:.9f}" for component in direction.tolist())
