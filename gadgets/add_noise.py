"""Noise added to a scan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import DataError
from ..engine.gadget import Context, Gadget, Signature
from ..engine.messages import Readouts
from ..engine.records import KSpace
from ..models.perturbation.noise import level_of, with_noise
from ..models.perturbation.readout_kinds import Noise
from ._measurements import calibration_is_of_image
from ._perturbation import (
    ACQUIRED,
    Numbers,
    ScanNoise,
    chosen_of,
    meta_of,
    prepared_of,
    runs,
    seeded,
    specified,
    variant_of,
)


@dataclass(kw_only=True)
class AddNoise(Gadget[Readouts | KSpace, Readouts | KSpace]):
    """Add noise to readouts or, at a stated SNR, to the k-space of each image.

    What a readout gets depends on the seed and on its number in the scan, not on how the stream is cut. The images'
    metadata (EchotrainPerturbation) hold all that is needed to add the same noise again. Noise measurements stay as
    they are unless ``perturbation.readouts`` names them, so that prewhitening goes by the scan's own noise.
    """

    perturbation: Noise | None = None
    """What to add, e.g. ``{level = 1, unit = "scan_noise"}``."""
    from_metadata: str | None = None
    """Instead: the entry EchotrainPerturbation of an image, to add the same again."""
    keep_clean: bool = False
    """Send the readouts on as they came, too, as a variant of their own before the perturbed one."""
    only_acquired: bool = False
    """Pass copies that an earlier gadget perturbed, instead of perturbing them, too."""

    _noise: Noise = field(init=False)
    _seed: int = field(init=False, default=0)
    _numbers: Numbers = field(init=False, default_factory=Numbers)
    _scans: dict[str, ScanNoise] = field(init=False, default_factory=dict)
    _context: Context = field(init=False)

    def __post_init__(self) -> None:
        """Read the specification, so that a chain with a wrong one is not built."""
        self._noise = specified(self.perturbation, self.from_metadata, (Noise,))

    def types(self) -> Signature:
        """Take readouts, or k-space gathered on a grid where the level is an SNR."""
        accepted = (KSpace,) if self._noise.unit == "snr" else (Readouts,)
        return Signature(accepted, accepted)

    def start(self, context: Context) -> None:
        """Note seed and noise of earlier measurements."""
        self._noise, self._seed = seeded(self._noise, context)
        self._context = context

    def receive(self, message: Readouts | KSpace) -> Iterable[Readouts | KSpace]:
        """Add noise to a block, or to the k-space of an image."""
        variant = message.prepared.variant if isinstance(message, Readouts) else message.variant
        copied = self.only_acquired and variant != ACQUIRED
        if self.keep_clean or copied:
            yield message
        if copied:
            return
        if isinstance(message, Readouts):
            for part in runs(message):
                yield self._readouts(part)
        else:
            yield self._image(message)

    def _readouts(self, message: Readouts) -> Readouts:
        """Readouts of one encoding space and dwell time, of which all are noise measurements or none."""
        own = self._scans.setdefault(message.prepared.variant, ScanNoise(self._context))
        own.see(message)
        prepared = prepared_of(message.prepared, "add_noise", self._noise)
        chosen = chosen_of(message.headers, self._noise)
        numbers = self._numbers.take(message.prepared.variant, int(np.count_nonzero(chosen)))
        if not numbers.size:
            return replace(message, prepared=prepared)
        needed = self._noise.unit == "scan_noise" or self._noise.coils == "scan"
        scan = own.covariance(message) if needed else None
        if chosen.all():
            return replace(message, samples=self._added(message.samples, numbers, scan), prepared=prepared)
        samples = np.array(message.samples)
        samples[chosen] = self._added(samples[chosen], numbers, scan)
        return replace(message, samples=samples, prepared=prepared)

    def _added(
        self, samples: NDArray[np.complex64], numbers: NDArray[np.int64], scan: NDArray[np.complex128] | None
    ) -> NDArray[np.complex64]:
        try:
            return with_noise(samples, numbers, self._noise, seed=self._seed, scan=scan)
        except ValueError as error:
            raise DataError(
                f"add_noise: {error}; noise readouts before, or a level in other units, would do"
            ) from error

    def _image(self, message: KSpace) -> KSpace:
        """Scale the noise to the energy of the image's sampled k-space: of its imaging lines."""
        columns = message.sampled_columns
        lines = _lines(message, columns)
        level = level_of(self._noise, float(np.square(np.abs(lines), dtype=np.float64).sum()), lines.size)
        changes: dict[str, Any] = {
            "variant": variant_of(message.variant, self._noise),
            "meta": meta_of(message.meta, self._noise),
            "history": (*message.history, f"add_noise: {self._noise.label}"),
        }
        if "imaging" in self._noise.readouts:
            changes["data"] = self._noisy(message, lines, columns, level)
        separate = not calibration_is_of_image(message)
        if message.calibration is not None and "calibration" in self._noise.readouts:
            assert message.calibration_sampled is not None  # comes with them
            region = replace(message, data=message.calibration, sampled=message.calibration_sampled)
            changes["calibration"] = self._noisy(region, _lines(region, columns), columns, level, apart=separate)
        return replace(message, **changes)

    def _noisy(
        self,
        message: KSpace,
        lines: NDArray[np.complex64],
        columns: slice,
        level: float,
        *,
        apart: bool = False,
    ) -> NDArray[np.complex64]:
        """K-space, in a new array, with noise on its lines; lines of one place get the same, unless they are apart."""
        purpose = f"noise of {tuple(message.key)}{' calibration' if apart else ''}"
        scan = None
        if self._noise.coils == "scan":
            if not message.noise.prewhitened:
                raise DataError('add_noise: coils = "scan" at an snr needs prewhitened k-space (noise_adjust before)')
            scan = np.eye(len(message.data), dtype=np.complex128)
        try:
            noisy = with_noise(
                lines,
                np.flatnonzero(message.sampled),
                self._noise,
                seed=self._seed,
                scan=scan,
                level=level,
                purpose=purpose,
            )
        except ValueError as error:
            raise DataError(f"add_noise: {error}") from error
        data = np.array(message.data, np.complex64, order="C")
        flat = data.reshape(len(data), -1, data.shape[-1])
        flat[:, message.sampled.ravel(), columns] = np.moveaxis(noisy, 1, 0)
        return data


def _lines(message: KSpace, columns: slice) -> NDArray[np.complex64]:
    """(N, coils, samples) of a k-space."""
    flat = message.data.reshape(len(message.data), -1, message.data.shape[-1])
    return np.moveaxis(flat[:, message.sampled.ravel(), columns], 0, 1)
