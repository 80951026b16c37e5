"""Coil images by GRAPPA."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..engine.errors import DataError
from ..engine.gadget import Context, Gadget
from ..engine.records import CoilImages, KSpace
from ._grappa import GrappaFiller
from ._partial_fourier import completed
from .reconstruct_fourier import transformed

Lines = Annotated[int, Field(ge=1, le=16)]


@dataclass(kw_only=True)
class ReconstructGrappa(Gadget[KSpace, CoilImages]):
    """Fill in regularly undersampled k-space by GRAPPA (Griswold 2002), in one or two directions, and transform it.

    Weights come from the calibration lines of the image, or from its fully sampled centre, else from those of an
    earlier image of its slice. Acquired lines stay as they are. Images of scans without acceleration are the Fourier
    transform.
    """

    heavy: ClassVar[bool] = True

    kernel: tuple[Lines, Lines, Lines] = (2, 4, 5)
    """Acquired lines along kz (of volumes) and ky that a missing one is predicted from, and samples along kx."""
    regularisation: Annotated[float, Field(ge=1e-10, le=1)] = 1e-2
    """Tikhonov's lambda, over the mean eigenvalue of the calibration's normal matrix."""
    partial_fourier: Literal["zero_fill", "homodyne", "pocs"] = "zero_fill"
    """What to do about lines or columns left out on one side: ``zero_fill`` leaves them empty, ``homodyne`` (Noll 1991;
    one direction) and ``pocs`` (Haacke 1991) find them from the other side, where the image's phase is smooth."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _fill: GrappaFiller = field(init=False)

    def start(self, context: Context) -> None:
        """Load the numerics, unless the scan can do without."""
        self._fill = GrappaFiller(self.kernel, self.regularisation, self.device, context.kspace_bytes)
        if any(max(encoding.acceleration) > 1 for encoding in context.header.encodings):
            from ..models.classical import grappa  # noqa: F401  the first image would wait for it

    def receive(self, message: KSpace) -> Iterable[CoilImages]:
        """Reconstruct one image per coil."""
        try:
            return (self.coil_images(message),)
        except ValueError as error:
            raise DataError(f"slice {message.key.slice}: {error}") from error

    def coil_images(self, message: KSpace) -> CoilImages:
        """Reconstruct one image per coil.

        Raises
        ------
        ValueError
            GRAPPA cannot do it.
        """
        filled = self._fill(message)
        data, words = completed(filled.data, filled.covered, message.sampled_columns, self.partial_fourier)
        steps = [f"reconstruct_grappa: {filled.words}", *([words] if words else []), "inverse Fourier transform"]
        labelled = replace(message, meta={**message.meta, "EchotrainGrappa": filled.words})
        images = transformed(data, message.encoding)
        return CoilImages(labelled, images, "grappa", (*message.history, "; ".join(steps)))
