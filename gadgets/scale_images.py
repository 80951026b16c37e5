"""Pixels in the number type that viewers expect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ..engine.errors import ConfigurationError
from ..engine.gadget import Gadget
from ..engine.records import Reconstruction

Series = tuple[str, str, str]


@dataclass(kw_only=True)
class ScaleImages(Gadget[Reconstruction, Reconstruction]):
    """Convert magnitudes to the pixel type of choice.

    Integers take one rescale for the whole series, set by its first image that is not empty and recorded as
    RescaleSlope and RescaleIntercept, so that images of a series stay comparable. What exceeds the type is clipped and
    counted in the metadata. Maps of another quantity than magnitude are never stretched: they stay as they are.
    """

    dtype: Literal["float32", "int16", "uint16"] = "float32"
    """Pixel type of the images."""
    peak: Annotated[int, Field(ge=1, le=32767)] = 4095
    """Integer that the brightest pixel of the series' first image becomes; the rest of the type is headroom."""

    _slopes: dict[Series, float] = field(init=False, default_factory=dict)

    def receive(self, message: Reconstruction) -> Iterable[Reconstruction]:
        """Convert one image."""
        if message.quantity == "complex" and self.dtype != "float32":
            raise ConfigurationError(
                f'scale_images: dtype {self.dtype!r} cannot hold complex images; expected dtype = "float32" or '
                "magnitudes"
            )
        if message.quantity != "magnitude":
            return (message,)
        if self.dtype == "float32":
            return (replace(message, data=message.data.astype(np.float32, copy=False)),)
        return (self._rescaled(message, np.dtype(self.dtype)),)

    def _rescaled(self, message: Reconstruction, dtype: np.dtype[np.integer[Any]]) -> Reconstruction:
        series = (message.variant, message.method, message.quantity)
        brightest = float(message.data.max(initial=0.0))
        if series not in self._slopes and brightest > 0:
            self._slopes[series] = brightest / self.peak
        slope = self._slopes.get(series, 1.0)  # an empty image is zero at any slope
        pixels = np.rint(message.data / np.float32(slope))
        largest = float(np.iinfo(dtype).max)
        clipped = int(np.count_nonzero(pixels > largest))
        step = f"scale_images: {dtype.name}, {slope:.9g} {message.unit} a step"
        if clipped:
            step += f", {clipped} pixels clipped at {largest:.0f}"
        return replace(
            message,
            data=np.minimum(pixels, largest).astype(dtype),
            history=(*message.history, step),
            meta={
                **message.meta,
                "RescaleSlope": repr(slope),
                "RescaleIntercept": "0.0",
                "EchotrainClippedPixels": str(clipped),
            },
        )
