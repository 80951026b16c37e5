"""The conventional reconstruction that a scan's own sampling asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ..engine.errors import DataError
from ..engine.gadget import Context, Gadget
from ..engine.messages import Text
from ..engine.mrd_header import Encoding
from ..engine.records import CalibratedKSpace, CoilImages, KSpace, Reconstruction
from ._grappa import factor_of, lattice_of
from ._measurements import acquired
from .estimate_sensitivities import EstimateSensitivities
from .reconstruct_fourier import ReconstructFourier
from .reconstruct_grappa import ReconstructGrappa
from .reconstruct_sense import ReconstructSense


@dataclass(kw_only=True)
class ReconstructConventional(Gadget[KSpace, CoilImages | Reconstruction | Text]):
    """Reconstruct each image as its header and its lines ask for, and say in its metadata which way and why.

    Without acceleration: the Fourier transform. Undersampled along a regular lattice: GRAPPA. Undersampled otherwise,
    or where GRAPPA cannot: SENSE with maps by ESPIRiT. With one coil, or too few calibration lines for either:
    zero-filled, which leaves the image aliased, with a warning. Each is as the gadget of its own does it by default.
    """

    heavy: ClassVar[bool] = True

    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _fourier: ReconstructFourier = field(init=False, default_factory=ReconstructFourier)
    _grappa: ReconstructGrappa = field(init=False)
    _sensitivities: EstimateSensitivities = field(init=False)
    _sense: ReconstructSense = field(init=False)
    _warned: set[str] = field(init=False, default_factory=set)

    def start(self, context: Context) -> None:
        """Load the numerics that the header asks for."""
        self._grappa = ReconstructGrappa(device=self.device)
        self._grappa.start(context)
        self._sensitivities = EstimateSensitivities(device=self.device)
        self._sensitivities.start(context)
        self._sense = ReconstructSense(device=self.device)
        if any(max(encoding.acceleration) > 1 for encoding in context.header.encodings):
            self._sense.start(context)
            from ..models.coils import calibration, espirit, walsh  # noqa: F401  the first image would wait

    def receive(self, message: KSpace) -> Iterator[CoilImages | Reconstruction | Text]:
        """Reconstruct one image."""
        if not _parallel(message.encoding):
            yield from self._fourier.receive(_chosen(message, "Fourier transform: the header gives no acceleration"))
            return
        if len(message.data) == 1:
            yield from self._zero_filled(message, "1 coil cannot be unfolded")
            return
        _, lines = acquired(message)
        lattice = lattice_of(lines.tobytes(), lines.shape)
        if lattice is None:
            yield from self._unfolded(message, "irregular sampling")
        elif lattice.factor == 1:
            yield from self._fourier.receive(_chosen(message, "Fourier transform: no line between others is missing"))
        else:
            sampling = f"regular sampling, {factor_of(lattice, lines.shape)}"
            try:
                yield self._grappa.coil_images(_chosen(message, f"GRAPPA: {sampling}, {len(message.data)} coils"))
            except ValueError as error:
                yield from self._unfolded(message, f"{sampling}, where GRAPPA cannot: {error}")

    def _unfolded(self, message: KSpace, why: str) -> Iterator[CoilImages | Reconstruction | Text]:
        """By SENSE, or zero-filled where there are no maps."""
        try:
            made = tuple(self._sensitivities.receive(_chosen(message, f"SENSE: {why}, {len(message.data)} coils")))
        except DataError as error:
            yield from self._zero_filled(message, f"{why}; SENSE cannot: {error.__cause__ or error}")
            return
        for one in made:
            if isinstance(one, CalibratedKSpace):
                yield from (image for image in self._sense.receive(one) if isinstance(image, Reconstruction))
            elif isinstance(one, Text):
                yield one

    def _zero_filled(self, message: KSpace, why: str) -> Iterator[CoilImages | Text]:
        if why not in self._warned:
            self._warned.add(why)
            yield Text(f"WRN reconstruct_conventional: zero-filled, images stay aliased: {why}")
        yield from self._fourier.receive(_chosen(message, f"zero-filled: {why}"))


def _parallel(encoding: Encoding) -> bool:
    """Whether the header speaks of parallel imaging; for irregular sampling writers give a mode and no factor."""
    return max(encoding.acceleration) > 1 or encoding.calibration_mode is not None


def _chosen(message: KSpace, choice: str) -> KSpace:
    return replace(
        message,
        history=(*message.history, f"reconstruct_conventional: {choice}"),
        meta={**message.meta, "EchotrainReconstruction": choice},
    )
