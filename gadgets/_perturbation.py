"""What gadgets that perturb have in common: specification, numbers of readouts, the scan's own noise, labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..engine.gadget import Context
from ..engine.messages import MetaValue, Preparation, Readouts
from ..engine.mrd_layout import NOT_IMAGING, AcquisitionFlag
from ..models.noise import noise_scale, outer_sum
from ..models.perturbation.base import Specification
from ..models.perturbation.readout_kinds import ReadoutSpecification, Role
from ..models.perturbation.specification import METADATA, parse

Kind = TypeVar("Kind", bound=Specification)
ACQUIRED = "acquired"

_NOISE = AcquisitionFlag.IS_NOISE_MEASUREMENT.bit
_CALIBRATION = AcquisitionFlag.IS_PARALLEL_CALIBRATION.bit
_FLAGS: Mapping[Role, int] = {"noise": _NOISE, "calibration": _CALIBRATION}
_CUT = ("encoding_space_ref", "sample_time_us")


def specified(given: Kind | None, text: str | None, kinds: tuple[type[Kind], ...]) -> Kind:
    """Return what a gadget shall do, of its field ``perturbation`` or of an image's metadata.

    Raises
    ------
    ValueError
        Both or none are given, or the metadata hold none of these kinds.
    """
    if (given is None) == (text is None):
        raise ValueError("expected one of perturbation and from_metadata")
    if text is None:
        assert given is not None
        return given
    parsed = parse(text)
    if not isinstance(parsed, kinds):
        known = ", ".join(str(kind.model_fields["kind"].default) for kind in kinds)
        raise ValueError(  # noqa: TRY004  # a value: the text is the user's
            f"from_metadata is of kind {parsed.kind!r}, expected one of {known}"
        )
    return parsed


def seeded(perturbation: Kind, context: Context) -> tuple[Kind, int]:
    """Return it with the seed that it has or else the session's, and that seed."""
    seed = context.seed % 2**63 if perturbation.seed is None else perturbation.seed
    return perturbation.model_copy(update={"seed": seed}), seed


def variant_of(before: str, perturbation: Specification) -> str:
    """Name the perturbed copy of a variant."""
    return perturbation.label if before == ACQUIRED else f"{before}+{perturbation.label}"


def meta_of(before: Mapping[str, MetaValue], perturbation: Specification) -> Mapping[str, MetaValue]:
    """Return metadata with the text of one perturbation more."""
    earlier = before.get(METADATA, ())
    texts = (*((earlier,) if isinstance(earlier, str) else earlier), perturbation.to_text())
    return {**before, METADATA: texts[0] if len(texts) == 1 else texts}


def prepared_of(before: Preparation, gadget: str, perturbation: Specification) -> Preparation:
    """Say on readouts what was done to them."""
    step = f"{gadget}: {perturbation.label}"
    return replace(
        before,
        variant=variant_of(before.variant, perturbation),
        meta=meta_of(before.meta, perturbation),
        history=(*before.history, step),
    )


def chosen_of(headers: NDArray[np.void], perturbation: ReadoutSpecification) -> NDArray[np.bool_]:
    """(N,) bool: which readouts it is for."""
    flags, roles = headers["flags"], perturbation.readouts
    special = (flags & np.uint64(NOT_IMAGING)) != 0
    chosen = ~special if "imaging" in roles else np.zeros(len(headers), np.bool_)
    for role, bit in _FLAGS.items():
        if role in roles:
            chosen |= (flags & np.uint64(bit)) != 0
    if "other" in roles:
        chosen |= special & ((flags & np.uint64(_NOISE | _CALIBRATION)) == 0)
    return chosen


def runs(message: Readouts) -> Iterator[Readouts]:
    """Cut a block where noise readouts begin or end, and where encoding space or dwell time change."""
    headers = message.headers
    noise = headers["flags"] & np.uint64(_NOISE)
    cut = noise[1:] != noise[:-1]
    for name in _CUT:
        cut |= headers[name][1:] != headers[name][:-1]
    edges = (np.flatnonzero(cut) + 1).tolist()
    for first, last in zip([0, *edges], [*edges, len(message)], strict=True):
        yield message if not edges else message[first:last]


class Numbers:
    """Numbers of the readouts that are perturbed, from 0, of each variant of the scan."""

    def __init__(self) -> None:
        self._next: Counter[str] = Counter()

    def take(self, variant: str, count: int) -> NDArray[np.int64]:
        """Return the next (count,) numbers."""
        first = self._next[variant]
        self._next[variant] += count
        return np.arange(first, first + count)


class ScanNoise:
    """The noise of the scan, as far as its noise readouts have come by the first readout that it is needed for."""

    def __init__(self, context: Context) -> None:
        wanted = context.header.measurement_dependencies.get("noise")
        self._kept = context.noise_store.find(wanted) if wanted else None
        self._bandwidth = context.header.relative_receiver_noise_bandwidth or 1.0
        self._total: NDArray[np.complex128] | None = None
        self._samples, self._dwell_us, self._closed = 0, 0.0, False

    def see(self, message: Readouts) -> None:
        """Take noise readouts, unless they come too late."""
        if self._closed or not (message.headers["flags"][0] & np.uint64(_NOISE)):
            return
        for product in outer_sum(message.samples):
            self._total = product if self._total is None else self._total + product
        self._samples += len(message) * message.samples.shape[2]
        self._dwell_us = float(message.headers["sample_time_us"][-1])

    def covariance(self, message: Readouts) -> NDArray[np.complex128] | None:
        """(coils, coils) E[n n^H] of the noise in the samples of these readouts; None if nothing tells."""
        self._closed = True
        if message.prepared.noise.prewhitened:
            return 2 * np.eye(message.samples.shape[1], dtype=np.complex128)
        if self._total is not None:
            covariance, dwell_us = self._total / max(self._samples - 1, 1), self._dwell_us
        elif self._kept is not None:
            covariance, dwell_us = self._kept.covariance, self._kept.dwell_time_us
        else:
            return None
        scale = noise_scale(
            dwell_us=float(message.headers["sample_time_us"][0]),
            noise_dwell_us=dwell_us,
            relative_bandwidth=self._bandwidth,
        )
        return covariance * (2 / scale**2)  # it whitens to a variance of 2
