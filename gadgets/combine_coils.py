"""Coil images combined into one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..engine.errors import ConfigurationError
from ..engine.gadget import Context, Gadget
from ..engine.provenance import scan_labels
from ..engine.records import CoilImages, Reconstruction
from ..models.coil_combination import combined, root_sum_of_squares, walsh_maps
from ._measurements import unit_of


@dataclass(kw_only=True)
class CombineCoils(Gadget[CoilImages, Reconstruction]):
    """Combine coil images into one magnitude or complex image."""

    method: Literal["rss", "adaptive"] = "rss"
    """``rss``: root of the sum of squares. ``adaptive``: with sensitivities estimated from the images (Walsh 2000),
    less biased by noise in dark regions; it keeps the phase. Its time grows with the square of the coils."""
    magnitude: bool = True
    """True for a float32 magnitude, False for the complex image; ``rss`` has no phase to give."""
    width: Annotated[int, Field(ge=1, le=63)] = 7
    """Pixels of the box over which ``adaptive`` averages."""

    def start(self, context: Context) -> None:
        """Refuse what cannot be done."""
        if self.method == "rss" and not self.magnitude:
            raise ConfigurationError('combine_coils: method "rss" gives magnitudes only; expected magnitude = true')

    def receive(self, message: CoilImages) -> Iterable[Reconstruction]:
        """Combine the coil images of one k-space."""
        kspace = message.kspace
        data: NDArray[Any]
        if self.method == "rss":
            data = root_sum_of_squares(message.data)
        else:
            data = combined(message.data, walsh_maps(message.data, width=self.width))
            if self.magnitude:
                data = np.abs(data)
        yield Reconstruction(
            key=kspace.key,
            data=data[np.newaxis],
            header=kspace.header,
            encoding=kspace.encoding,
            method=f"{message.method}+{self.method}",
            quantity="magnitude" if self.magnitude else "complex",
            unit=unit_of(kspace),
            variant=kspace.variant,
            history=(*message.history, f"combine_coils: {self.method} of {len(message.data)} coils"),
            meta=scan_labels(kspace),
        )
