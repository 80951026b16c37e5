"""A structure inserted into a scan, to see whether a reconstruction shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..engine.gadget import Context, Gadget
from ..engine.records import CalibratedKSpace, KSpace
from ..models.fourier import centred_fft, resized
from ..models.perturbation.specification import Structure
from ._device import device_of
from ._measurements import calibration_is_of_image
from ._perturbation import ACQUIRED, meta_of, seeded, specified, variant_of
from ._structure import structure_in


@dataclass(kw_only=True)
class InsertStructure(Gadget[CalibratedKSpace, CalibratedKSpace]):
    """Add an ellipse to the image that was scanned, as the coils would have seen it, to the lines that were sampled.

    How bright the image is there is taken from a CG-SENSE reconstruction. The images' metadata hold all that is needed
    to insert the same again (EchotrainPerturbation), and where it lies (EchotrainStructure).
    """

    heavy: ClassVar[bool] = True

    perturbation: Structure | None = None
    """What to insert, e.g. ``{diameter = [6], contrast = 0.3}``."""
    from_metadata: str | None = None
    """Instead: the entry EchotrainPerturbation of an image, to insert the same again."""
    keep_clean: bool = False
    """Send the k-space on as it came, too, as a variant of its own before the one with the structure."""
    only_acquired: bool = False
    """Pass copies that an earlier gadget perturbed, instead of changing them, too."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _structure: Structure = field(init=False)
    _seed: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Read the specification, so that a chain with a wrong one is not built."""
        self._structure = specified(self.perturbation, self.from_metadata, (Structure,))

    def start(self, context: Context) -> None:
        """Note the seed; load the numerics, for which the first image would wait."""
        from ..models.classical import cg_sense  # noqa: F401

        device_of(self.device)
        self._structure, self._seed = seeded(self._structure, context)

    def receive(self, message: CalibratedKSpace) -> Iterable[CalibratedKSpace]:
        """Insert it into one image."""
        copied = self.only_acquired and message.kspace.variant != ACQUIRED
        if self.keep_clean or copied:
            yield message
        if copied:
            return
        kspace, where = message.kspace, "not inserted: contrast 0"
        changed = kspace
        if not self._structure.nothing:
            added, where = self._added(message)
            changed = replace(
                kspace,
                data=_plus(kspace.data, added, kspace.sampled, kspace.sampled_columns),
                calibration=_calibration_plus(kspace, added),
            )
        meta = {**meta_of(kspace.meta, self._structure), "EchotrainStructure": where}
        step = f"insert_structure: {self._structure.label}, {where}"
        variant = variant_of(kspace.variant, self._structure)
        changed = replace(changed, variant=variant, meta=meta, history=(*kspace.history, step))
        yield replace(message, kspace=changed, history=(*message.history, step))

    def _added(self, message: CalibratedKSpace) -> tuple[NDArray[np.complex64], str]:
        """(coils, kz, ky, kx) of the structure on the encoded grid, and where it is."""
        made, where = structure_in(
            message, self._structure, seed=self._seed, device=self.device, gadget="insert_structure"
        )
        coils = centred_fft(message.sensitivities * made.image, (1, 2, 3)).astype(np.complex64, copy=False)
        return resized(coils, message.kspace.data.shape[1:], (1, 2, 3)), where


def _plus(
    data: NDArray[np.complex64], added: NDArray[np.complex64], lines: NDArray[np.bool_], columns: slice
) -> NDArray[np.complex64]:
    """K-space, in a new array, with what is added on its lines and columns."""
    changed = np.array(data, np.complex64)
    changed[..., columns] += np.where(lines[..., None], added[..., columns], 0)
    return changed


def _calibration_plus(kspace: KSpace, added: NDArray[np.complex64]) -> NDArray[np.complex64] | None:
    """Calibration lines; those that are no lines of this image stay, as their contrast and scale are their own."""
    if kspace.calibration is None or kspace.calibration_sampled is None or not calibration_is_of_image(kspace):
        return kspace.calibration
    return _plus(kspace.calibration, added, kspace.calibration_sampled, kspace.sampled_columns)
