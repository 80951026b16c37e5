"""Readouts corrupted as scanners, coils and patients corrupt them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import DataError
from ..engine.gadget import Context, Gadget
from ..engine.messages import Preparation, Readouts
from ..engine.mrd_header import Encoding, Limit
from ..engine.mrd_layout import AcquisitionFlag
from ..models.perturbation.readout_block import ReadoutBlock
from ..models.perturbation.readout_corruption import corrupted
from ..models.perturbation.readout_kinds import Dropped, Ghost, Motion, Reordered, Repeated
from ..models.perturbation.readout_order import arrivals, lines_exchanged
from ..models.perturbation.specification import Corruption
from ._perturbation import ACQUIRED, Numbers, ScanNoise, chosen_of, prepared_of, runs, seeded, specified
from ._readout_blocks import GRIDDED

_KINDS = get_args(get_args(Corruption)[0])
_REVERSE = np.uint64(AcquisitionFlag.IS_REVERSE.bit)
_OTHERS = ("kspace_encode_step_2", "average", "slice", "contrast", "phase", "repetition", "set", "segment")


@dataclass(kw_only=True)
class CorruptReadouts(Gadget[Readouts, Readouts]):
    """Corrupt readouts: spikes, interference, lost and exchanged lines, silent coils, drifts, motion, ghost, clipping.

    What a readout gets depends on the seed and on its number in the scan, not on how the stream is cut. The images'
    metadata (EchotrainPerturbation) hold all that is needed to do the same again. Noise measurements, navigators and
    the like stay as they are unless ``perturbation.readouts`` names them.
    """

    perturbation: Corruption | None = None
    """What to do, e.g. ``{kind = "spikes", share = 0.01, size = 50}``."""
    from_metadata: str | None = None
    """Instead: the entry EchotrainPerturbation of an image, to do the same again."""
    keep_clean: bool = False
    """Send the readouts on as they came, too, as a variant of their own before the corrupted one."""
    only_acquired: bool = False
    """Pass copies that an earlier gadget perturbed, instead of corrupting them, too."""

    _corruption: Corruption = field(init=False)
    _seed: int = field(init=False, default=0)
    _numbers: Numbers = field(init=False, default_factory=Numbers)
    _scans: dict[str, ScanNoise] = field(init=False, default_factory=dict)
    _context: Context = field(init=False)

    def __post_init__(self) -> None:
        """Read the specification, so that a chain with a wrong one is not built."""
        self._corruption = specified(self.perturbation, self.from_metadata, _KINDS)

    def start(self, context: Context) -> None:
        """Note seed and header."""
        self._corruption, self._seed = seeded(self._corruption, context)
        self._context = context

    def receive(self, message: Readouts) -> Iterable[Readouts]:
        """Corrupt a block."""
        copied = self.only_acquired and message.prepared.variant != ACQUIRED
        if self.keep_clean or copied:
            yield message
        if copied:
            return
        for part in runs(message):
            made = self._run(part, prepared_of(message.prepared, "corrupt_readouts", self._corruption))
            if len(made):
                yield made

    def _run(self, message: Readouts, prepared: Preparation) -> Readouts:
        """Readouts of one encoding space and dwell time, of which all are noise measurements or none."""
        own = self._scans.setdefault(message.prepared.variant, ScanNoise(self._context))
        own.see(message)
        chosen = np.flatnonzero(chosen_of(message.headers, self._corruption))
        numbers = self._numbers.take(message.prepared.variant, len(chosen))
        labelled = replace(message, prepared=prepared)
        if not len(chosen) or self._corruption.nothing:
            return labelled
        try:
            if isinstance(self._corruption, Dropped | Repeated):
                times = np.ones(len(message), np.intp)
                times[chosen] = arrivals(numbers, self._corruption, self._seed)
                return labelled[np.repeat(np.arange(len(message)), times)]
            if isinstance(self._corruption, Reordered):
                return replace(labelled, headers=self._relabelled(message.headers, chosen, self._corruption))
            whole = len(chosen) == len(message)
            block = self._block(message if whole else message[chosen], numbers, own)
            made = corrupted(block, self._corruption, self._seed)
        except ValueError as error:
            counter = int(message.headers["scan_counter"][chosen[0]])
            raise DataError(
                f"corrupt_readouts, {self._corruption.kind}: {error} (readouts from scan_counter {counter} on)"
            ) from error
        if whole:
            return replace(labelled, samples=made)
        samples = np.array(message.samples)
        samples[chosen] = made
        return replace(labelled, samples=samples)

    def _block(self, message: Readouts, numbers: NDArray[np.int64], own: ScanNoise) -> ReadoutBlock:
        samples = message.samples
        if not (samples.flags.aligned and samples[0].flags.c_contiguous):  # the same arithmetic wherever they lie
            samples = np.require(samples, np.complex64, ["C", "A"])
        noise = None
        if getattr(self._corruption, "unit", None) == "scan_noise":
            covariance = own.covariance(message)
            noise = None if covariance is None else math.sqrt(float(np.trace(covariance).real) / len(covariance))
        if not isinstance(self._corruption, Ghost | Motion):
            return ReadoutBlock(samples=samples, numbers=numbers, scan_noise=noise)
        encoding = self._gridded(message.headers)
        steps = [message.headers["idx"][f"kspace_encode_step_{n}"] - _limit(encoding, n).center for n in (1, 2)]
        x = encoding.encoded if message.prepared.columns is None else encoding.recon
        return ReadoutBlock(
            samples=samples,
            numbers=numbers,
            steps=np.stack(steps, axis=1).astype(np.int64),
            columns=_columns(message, encoding),
            extent=(x.field_of_view[0], *encoding.encoded.field_of_view[1:]),
            acceleration=encoding.acceleration[0],
        )

    def _relabelled(self, headers: NDArray[np.void], chosen: NDArray[np.intp], exchange: Reordered) -> NDArray[np.void]:
        """Headers, new, with lines exchanged."""
        encoding = self._gridded(headers)
        limit, index = _limit(encoding, 1), headers["idx"][chosen]
        changed = headers.copy()
        changed["idx"]["kspace_encode_step_1"][chosen] = lines_exchanged(
            index["kspace_encode_step_1"].astype(np.int64),
            {name: index[name].astype(np.int64) for name in _OTHERS},
            (limit.minimum, limit.maximum),
            encoding.acceleration[0],
            exchange,
            self._seed,
        )
        return changed

    def _gridded(self, headers: NDArray[np.void]) -> Encoding:
        """Encoding of these readouts.

        Raises
        ------
        ValueError
            It is none on a Cartesian grid.
        """
        space, encodings = int(headers["encoding_space_ref"][0]), self._context.header.encodings
        if space >= len(encodings) or encodings[space].trajectory not in GRIDDED:
            raise ValueError("the readouts are on no Cartesian grid")
        return encodings[space]


def _limit(encoding: Encoding, axis: int) -> Limit:
    """Of lines or partitions; without limits they are those of the encoded matrix."""
    size = encoding.encoded.matrix[axis]
    return encoding.limits.get(f"kspace_encoding_step_{axis}", Limit(0, size - 1, size // 2))


def _columns(message: Readouts, encoding: Encoding) -> NDArray[np.int64]:
    """(N, 2) place of the first and last sample along x, from the centre of k-space; see ``engine.readout_grid``."""
    length, grid = message.samples.shape[2], encoding.encoded.matrix[0]
    ends = np.array([0, length - 1])
    if message.prepared.columns is not None:
        return np.broadcast_to(ends - length // 2, (len(message), 2))
    center = message.headers["center_sample"].astype(np.int64)
    center = np.where((center == 0) & (length == grid), grid // 2, center)[:, None]
    backwards = (message.headers["flags"] & _REVERSE) != 0
    return np.where(backwards[:, None], ends[::-1], ends) - center
