"""The cases of the study of weights, by what varies: acceleration, SNR, coils, their distance, source, domain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from ...models.evaluation.case import Case
from ...models.evaluation.simulated_cases import simulated_cases
from ...models.shared_data import shared_data
from ..evaluation_cases import IMAGES, scan_case

DETAILED = (4.0, 8.0)
"""Accelerations at which errors are also told apart by frequency, region and source."""
_OTHERS = (2.0, 6.0, 12.0)
_SNR = (5.0, 10.0, 20.0, 40.0, 100.0)
_COILS = (1, 2, 4, 8, 16, 32)
_DISTANCES = (1.3, 1.8, 3.0)
TRAINING = "images/brains_train.h5"
_STRIPPED = "open_ms_cross_sectional"
_BRAIN = "brain_t1_7ch"
_PHANTOMS = ("phantom_16ch", "phantom_gre_2ch")


class Subgroup(NamedTuple):
    """Some cases, and the rows of tables that their scores count in."""

    rows: list[list[tuple[str, str]]]
    """For each case, table and row."""
    detail: str | None
    """Row that errors by frequency and region count in, if they do."""
    cases: Iterator[Case]
    """Made as they are asked for."""


class Slices(NamedTuple):
    """Magnitude images, (N, y, x) uint8, and what each is, (N,)."""

    images: NDArray[np.uint8]
    kinds: list[str]


def spread(path: str, count: int, source: str | None = None) -> Slices:
    """Choose images of the shared data, evenly spread, each the middle of as many; of one source if it is named."""
    with h5py.File(shared_data() / path) as opened:
        sources, contrasts = (opened[name].asstr()[()] for name in ("source", "contrast"))
        known = np.flatnonzero(sources == source) if source else np.arange(len(sources))
        chosen = known[((np.arange(count) + 0.5) * len(known) / count).astype(int)]
        images = np.asarray(opened["image"][chosen], np.uint8)
    return Slices(images, [f"{sources[n]}, {contrasts[n]}" for n in chosen])


def subgroups(count: int) -> Iterator[Subgroup]:
    """List all subgroups, those first that most is read from.

    Parameters
    ----------
    count
        Validation images that R, contrast and source are varied on; half as many serve for what else varies, at R = 4.
    """
    val, half = spread(IMAGES, count), spread(IMAGES, max(count // 2, 1))
    for r in DETAILED:
        rows = [[_by("acceleration", r), ("source and contrast", f"{kind}, R = {r:g}")] for kind in val.kinds]
        yield Subgroup(rows, f"validation, R = {r:g}", simulated_cases(val.images, r))
        name = f"{_BRAIN}, R = {r:g}"
        yield Subgroup([[("domain", name)]], name, _scan(_BRAIN, r))
    for phantom in _PHANTOMS:
        for r in (2.0, 4.0):
            yield Subgroup([[("domain", f"{phantom}, R = {r:g}")]], None, _scan(phantom, r))
    stripped = spread(TRAINING, max(count // 2, 1), _STRIPPED)
    for r in DETAILED:
        row = ("domain", f"skull-stripped, seen in training, R = {r:g}")
        yield Subgroup([[row]] * len(stripped.images), None, simulated_cases(stripped.images, r))
    for r in _OTHERS:
        yield Subgroup([[_by("acceleration", r)]] * count, None, simulated_cases(val.images, r))
    same = len(half.images)
    for snr in _SNR:
        yield Subgroup([[_by("SNR", snr)]] * same, None, simulated_cases(half.images, 4.0, snr=snr))
    for coils in _COILS:
        yield Subgroup([[_by("coils", coils)]] * same, None, simulated_cases(half.images, 4.0, coils=coils))
    for distance in _DISTANCES:
        cases = simulated_cases(half.images, 4.0, distance=distance)
        yield Subgroup([[_by("distance of the coils", distance)]] * same, None, cases)


def _by(table: str, value: float) -> tuple[str, str]:
    return table, f"R = {value:g}" if table == "acceleration" else f"{value:g}"


def _scan(name: str, acceleration: float) -> Iterator[Case]:
    yield scan_case(name, acceleration)
