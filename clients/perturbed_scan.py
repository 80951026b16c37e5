"""A scan perturbed before it is sent, so that any server can be tested with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.chain import Chain
from ..engine.errors import ConfigurationError, EchotrainError
from ..engine.gadget import Context, Gadget
from ..engine.messages import Message, Preparation, Readouts
from ..engine.mrd_header import parse_header
from ..engine.mrd_layout import AcquisitionFlag
from ..gadgets._surrogate import known_surrogate
from ..gadgets.add_noise import AddNoise
from ..gadgets.corrupt_readouts import CorruptReadouts
from ..gadgets.insert_structure import InsertStructure
from ..gadgets.perturb_worst_case import PerturbWorstCase
from ..models.model_card import ModelError
from ..models.perturbation.readout_kinds import Noise
from ..models.perturbation.specification import Perturbation, RandomControl, Structure, WorstCase
from .perturbed_lines import perturbed_lines
from .scan_file import Scan

_NOISE = np.uint64(AcquisitionFlag.IS_NOISE_MEASUREMENT.bit)


def perturbed_scan(scan: Scan, perturbations: Sequence[Perturbation], *, seed: int = 0) -> Scan:
    """Perturb a scan as the gadgets of a chain would, one perturbation after another, at the client.

    What is done to readouts is done to them as they were measured: before any prewhitening. Perturbations of k-space
    (worst case, random control, structure, noise at an SNR) are made as ``perturbed_lines`` says.

    Parameters
    ----------
    scan
        It is read into memory.
    perturbations
        In order. Without any, or without an amount, the scan is sent as it is, to the bit.
    seed
        Of those that have none of their own.

    Raises
    ------
    ConfigurationError
        A perturbation does not fit the scan, or the model that is to be attacked is not there.
    """
    try:
        context = Context(header=parse_header(scan.header.xml), seed=seed)
        messages: Sequence[Message] = tuple(scan.messages)
        for perturbation in perturbations:
            if not perturbation.nothing:
                messages = tuple(_perturbed(messages, told_whole(perturbation, seed), context))
    except (EchotrainError, ModelError) as error:
        raise ConfigurationError(f"{scan.source} cannot be perturbed: {error}") from error
    return replace(scan, messages=messages, readouts=sum(len(m) for m in messages if isinstance(m, Readouts)))


def told_whole(perturbation: Perturbation, seed: int) -> Perturbation:
    """Return a perturbation with the seed and, of an attack, the model's own name and hash: what makes it again."""
    changes: dict[str, Any] = {} if perturbation.seed is not None else {"seed": seed}
    if isinstance(perturbation, WorstCase) and not perturbation.model_hash:
        name, digest, is_prior = known_surrogate(perturbation.model)
        changes |= {"model": name, "model_hash": digest}
        if is_prior:
            changes["steps"] = perturbation.steps or PerturbWorstCase.steps
            changes["samples"] = perturbation.samples or PerturbWorstCase.samples
    return perturbation.model_copy(update=changes)


def control_of(perturbation: Perturbation, clean: Scan, perturbed: Scan) -> Perturbation:
    """Return white noise of the norm of a perturbation, to tell what it does from what any change does.

    Of what is done to k-space, in the k-space that it is done to; of what is done to readouts, in all of their samples.

    Raises
    ------
    ConfigurationError
        It changes which readouts there are, which is of no norm.
    """
    seed = ((perturbation.seed or 0) + 1) % 2**63  # not the numbers that an attack starts at
    if isinstance(perturbation, WorstCase | RandomControl):
        return RandomControl(epsilon=perturbation.epsilon, norm=perturbation.norm, seed=seed)
    found = difference(clean, perturbed)
    if found is None:
        raise ConfigurationError(f"{perturbation.kind} changes which readouts there are: no noise is of its norm")
    if _of_kspace(perturbation):
        return RandomControl(epsilon=found.relative, seed=seed)
    return Noise(level=found.norm / math.sqrt(found.samples), readouts=("imaging", "calibration", "other"), seed=seed)


@dataclass(frozen=True)
class Difference:
    """What differs between two scans of the same readouts, noise measurements left out."""

    norm: float
    """Of the difference of all samples."""
    reference: float
    """Norm of the first scan's samples."""
    samples: int
    """Of all coils."""

    @property
    def relative(self) -> float:
        """One norm over the other; 0 where there is no signal."""
        return self.norm / self.reference if self.reference else 0.0


def difference(clean: Scan, perturbed: Scan) -> Difference | None:
    """Compare the samples of two scans, as they are sent; None if they are not of the same readouts."""
    pairs = [tuple(m for m in scan.messages if isinstance(m, Readouts)) for scan in (clean, perturbed)]
    headers: list[NDArray[np.void]] = [np.concatenate([block.headers for block in blocks]) for blocks in pairs]
    before, after = headers
    if not np.array_equal(before, after):
        return None
    norm = reference = 0.0
    count = 0
    each = (chain.from_iterable(block.samples for block in blocks) for blocks in pairs)
    for flags, first, second in zip(before["flags"], *each, strict=True):
        if not flags & _NOISE:
            norm += float(np.linalg.norm(second - first)) ** 2
            reference += float(np.linalg.norm(first)) ** 2
            count += first.size
    return Difference(math.sqrt(norm), math.sqrt(reference), count)


def _of_kspace(perturbation: Perturbation) -> bool:
    if isinstance(perturbation, Noise):
        return perturbation.unit == "snr"
    return isinstance(perturbation, Structure | WorstCase | RandomControl)


def _perturbed(messages: Sequence[Message], perturbation: Perturbation, context: Context) -> Iterator[Message]:
    name, gadget = _gadget(perturbation)
    if _of_kspace(perturbation):
        yield from perturbed_lines(messages, name, gadget, context)
        return
    link = Chain([(name, gadget)], check=False)  # readouts are to reach its end
    link.start(context)
    for message in messages:
        for made in link.feed(message):
            yield replace(made, prepared=Preparation()) if isinstance(made, Readouts) else made
    yield from link.finish()


def _gadget(perturbation: Perturbation) -> tuple[str, Gadget[Any, Any]]:
    match perturbation:
        case Noise():
            return "add_noise", AddNoise(perturbation=perturbation)
        case Structure():
            return "insert_structure", InsertStructure(perturbation=perturbation)
        case WorstCase() | RandomControl():
            return "perturb_worst_case", PerturbWorstCase(from_metadata=perturbation.to_text())
        case _:
            return "corrupt_readouts", CorruptReadouts(perturbation=perturbation)
