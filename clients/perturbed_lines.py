"""Perturbations of k-space, written back into the readouts that it was gathered from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.chain import Chain
from ..engine.errors import DataError
from ..engine.gadget import Context, Gadget
from ..engine.messages import Message, Readouts
from ..engine.mrd_layout import AcquisitionFlag
from ..engine.readout_grid import placed
from ..engine.records import CalibratedKSpace, Key, KSpace
from ..gadgets._image_keys import described, keys_of
from ..gadgets._readout_blocks import APART
from ..gadgets._sampling import Sampling
from ..gadgets.accumulate import Accumulate
from ..gadgets.estimate_sensitivities import EstimateSensitivities
from ..gadgets.noise_adjust import NoiseAdjust
from ..gadgets.remove_oversampling import RemoveOversampling
from ..models.fourier import centred_fft, centred_ifft, resized

_CALIBRATION = AcquisitionFlag.IS_PARALLEL_CALIBRATION.bit

Array = NDArray[np.complex64]


def perturbed_lines(
    messages: Sequence[Message], name: str, gadget: Gadget[Any, Any], context: Context
) -> Iterator[Message]:
    """Perturb the k-space of a scan's images by a gadget, and the readouts so that this k-space is gathered from them.

    K-space is gathered as the chains of undersampled scans do: prewhitened where there are noise readouts, without
    readout oversampling, maps by ESPIRiT. What the gadget adds is taken back through the whitening, and has no part
    outside the image's field of view: a server that prepares readouts alike sees the very perturbation. Readouts of one
    line, averages, get it alike, so that their mean has it.

    Parameters
    ----------
    messages
        What follows a scan's header.
    name, gadget
        It makes one perturbed copy of each ``KSpace`` or ``CalibratedKSpace``, in order, at once or at the end.
    context
        Header and seed.

    Raises
    ------
    DataError
        The scan is not on a Cartesian grid, images come twice under the same counters, or asymmetric echoes are
        oversampled: what is cut off at both could not be written back.
    """
    noise = NoiseAdjust(policy="ignore")
    needs_maps = CalibratedKSpace in gadget.types().accepts
    gathering = Chain(
        [
            ("noise_adjust", noise),
            ("remove_oversampling", RemoveOversampling()),
            ("accumulate", Accumulate()),
            *([("estimate_sensitivities", EstimateSensitivities())] if needs_maps else []),
        ],
        check=False,  # k-space is to reach its end
    )
    perturbing = Chain([(name, gadget)], check=False)
    for part in (gathering, perturbing):
        part.start(context)
    changes: dict[Key, _Change] = {}
    clean = list(_gathered(gathering, messages))
    perturbed = [*(made for one in clean for made in perturbing.feed(one)), *perturbing.finish()]
    for one, copy in zip(clean, perturbed, strict=True):
        before, after = _kspace(one), _kspace(copy)
        if before.key in changes:
            raise DataError(f"{described(before.key)} comes twice: its readouts cannot be told apart")
        changes[before.key] = _Change.of(before, after)
    back = _Back(context, noise, changes)
    for message in messages:
        yield back.written(message) if isinstance(message, Readouts) else message


@dataclass(frozen=True)
class _Change:
    """What was added to an image's k-space, (coils, kz * ky, kx) complex64."""

    lines: Array
    calibration: Array | None

    @classmethod
    def of(cls, before: KSpace, after: KSpace) -> _Change:
        def added(first: Array, second: Array) -> Array:
            return (second - first).reshape(len(first), -1, first.shape[-1])

        if before.calibration is None or after.calibration is None:
            return cls(added(before.data, after.data), None)
        return cls(added(before.data, after.data), added(before.calibration, after.calibration))


class _Back:
    """The way back from k-space to readouts."""

    def __init__(self, context: Context, noise: NoiseAdjust, changes: dict[Key, _Change]) -> None:
        self._encodings = context.header.encodings
        self._sampling = [Sampling.of(encoding, split_averages=False) for encoding in self._encodings]
        self._noise = noise
        self._changes = changes
        self._colouring: dict[float, NDArray[np.complex128]] = {}

    def written(self, block: Readouts) -> Readouts:
        """Return a block with what was added to its lines."""
        samples = np.array(block.samples, np.complex64)
        changed = False
        for n in np.flatnonzero((block.headers["flags"] & APART) == 0).tolist():
            line = self._line(block.headers[n : n + 1])
            if line is None or not line.any():
                continue
            header = block.headers[n]
            grid = self._encodings[int(header["encoding_space_ref"])].encoded.matrix[0]
            place = placed(header, block.samples.shape[2], grid)
            line = (self._colour(block[n : n + 1]) @ line).astype(np.complex64)
            if line.shape[-1] < grid:
                if (place.start, place.stop) != (0, grid):
                    raise DataError(
                        f"a readout (scan_counter {int(header['scan_counter'])}) is oversampled and does not fill the "
                        "grid: what is added to its image's k-space cannot be written back into it"
                    )
                line = centred_fft(resized(centred_ifft(line, (-1,)), (grid,), (-1,)), (-1,))
            in_order = samples[n][:, ::-1] if place.reversed else samples[n]
            in_order[:, place.kept] += line[:, place.start : place.stop]
            changed = True
        return replace(block, samples=samples) if changed else block

    def _line(self, header: NDArray[np.void]) -> Array | None:
        """(coils, columns) that was added to the line of a readout; None if it is in no image."""
        space = int(header["encoding_space_ref"][0])
        ((key, _),) = keys_of(header, space)
        change = self._changes.get(key)
        if change is None:
            return None
        lines = change.calibration if int(header["flags"][0]) & _CALIBRATION else change.lines
        return None if lines is None else lines[:, self._sampling[space].places(header)[0]]

    def _colour(self, readout: Readouts) -> NDArray[np.complex128]:
        """(coils, coils) inverse of what prewhitening multiplies a readout of this dwell time by."""
        dwell_us = float(readout.headers["sample_time_us"][0])
        if dwell_us not in self._colouring:
            unit = np.eye(readout.samples.shape[1], dtype=np.complex64)
            for made in self._noise.receive(replace(readout, samples=unit[np.newaxis], trajectory=None)):
                if isinstance(made, Readouts):
                    self._colouring[dwell_us] = np.linalg.inv(made.samples[0].astype(np.complex128))
        return self._colouring[dwell_us]


def _gathered(gathering: Chain, messages: Iterable[Message]) -> Iterator[KSpace | CalibratedKSpace]:
    for message in messages:
        if isinstance(message, Readouts):
            yield from (made for made in gathering.feed(message) if isinstance(made, KSpace | CalibratedKSpace))
    yield from (made for made in gathering.finish() if isinstance(made, KSpace | CalibratedKSpace))


def _kspace(record: Message) -> KSpace:
    if isinstance(record, CalibratedKSpace):
        return record.kspace
    assert isinstance(record, KSpace)
    return record
