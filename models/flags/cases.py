"""Scans with and without artifacts, to train flags on and to judge them by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..evaluation.case import maps_of
from ..measurements import Measurements
from ..perturbation.noise import with_noise
from ..perturbation.readout_block import ReadoutBlock
from ..perturbation.readout_corruption import corrupted
from ..perturbation.readout_kinds import Motion, Noise, Spikes
from ..trained_range import TrainedRange
from ..uncertainty.calibration_cases import calibration_cases
from .evidence import Complex

FIELD_OF_VIEW = 240.0
"""mm, of simulated scans."""
EPSILON = 0.02
NOISE = 2.0
DIAMETER = 6.0
"""mm."""
CONTRAST = 0.3
_UNMEASURED = 0.25
"""Share of the scans without noise measurement."""
Attack = Callable[[Measurements, float, int], Tensor]
"""(measurements, epsilon, seed) -> delta: a worst-case perturbation of the judged method."""


@dataclass(frozen=True)
class FlagCase:
    """One scan with one artifact, or clean."""

    artifact: str
    """``clean``, a ``FlagKind``, or ``structure_in_data``: one that the coils saw, which no flag is for."""
    measurements: Measurements
    place: tuple[int, int] | None = None
    """(row, column) of a structure that is to be put into the judged image, where k-space has none."""


Cases = Callable[[], list[FlagCase]]
"""Makes the cases of one image."""


def flag_cases(
    images: NDArray[np.uint8],
    strange: NDArray[np.uint8],
    scope: TrainedRange,
    *,
    seed: int,
    attack: Attack | None = None,
    spread: float = 1.0,
) -> Iterator[Cases]:
    """Simulate each image's scan clean and with each artifact, coil maps estimated from what was so measured.

    A worst case has the budget ``EPSILON`` and leaves the maps as they are, noise is ``NOISE`` times what was measured,
    one spike is .1 to 3 times the strongest sample, motion between shots has a standard deviation of 1 to 3 mm. A
    quarter of the scans that are not of the kind ``noise`` come without noise measurement.

    Parameters
    ----------
    images
        (N, y, x) uint8: what the model knows.
    strange
        (M, y, x) uint8: what it does not; as many of the cases are of kind ``out_of_distribution``.
    scope
        Acquisitions to draw from, see ``calibration_cases``.
    seed
        Case n depends on the seed, n and the images alone.
    attack
        Makes worst cases; None: there are none.
    spread
        Budgets and noise vary by up to this factor, up and down: 1 for cases to judge by, more to train on.

    Yields
    ------
        What makes all cases of one image: where their features are known already it need not be called.
    """
    others = calibration_cases(strange, scope, seed=seed + 1)
    for number, case in enumerate(calibration_cases(images, scope, seed=seed)):
        other = next(others, None)
        strange_scan = None if other is None else other.measurements
        yield partial(_cases_of, case.measurements, strange_scan, (seed, number), attack, spread)


def _cases_of(
    clean: Measurements, other: Measurements | None, seed: tuple[int, int], attack: Attack | None, spread: float
) -> list[FlagCase]:
    rng = np.random.default_rng([*seed, 1])
    factor = float(np.exp(rng.uniform(-1, 1) * np.log(spread)))
    found = [("clean", clean), *_artifacts(clean, factor, rng)]
    if attack is not None:
        delta = attack(clean, EPSILON * factor, int(rng.integers(2**31)))
        found.append(("worst_case", replace(clean, kspace=clean.kspace + delta)))
    if other is not None:
        found.append(("out_of_distribution", other))
    place = _place(clean, rng)
    seen = clean.operator()(torch.from_numpy(structure(_anatomy(clean), place))[None])
    found.append(("structure_in_data", _with(clean, clean.kspace + seen)))
    unmeasured = rng.uniform() < _UNMEASURED
    cases = [
        FlagCase(name, replace(scan, noise=None) if unmeasured and name != "noise" else scan) for name, scan in found
    ]
    cases.append(replace(cases[0], artifact="inserted_structure", place=place))
    return cases


def clean_cases(images: NDArray[np.uint8], scope: TrainedRange, *, seed: int) -> Iterator[Cases]:
    """Simulate each image's scan, clean alone: to see how often flags are raised by nothing; see ``flag_cases``."""
    for number, case in enumerate(calibration_cases(images, scope, seed=seed)):
        unmeasured = np.random.default_rng([seed, number]).uniform() < _UNMEASURED
        scan = replace(case.measurements, noise=None) if unmeasured else case.measurements
        yield partial(list, [FlagCase("clean", scan)])


def structure(image: Complex, place: tuple[int, int]) -> Complex:
    """Return a disc of ``DIAMETER`` and ``CONTRAST`` against the image around it, in phase with it: what to add.

    Parameters
    ----------
    image
        (y, x) whose shorter side is ``FIELD_OF_VIEW``.
    place
        (row, column) of the middle.
    """
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    radius = DIAMETER / 2 * min(image.shape) / FIELD_OF_VIEW
    inside = np.clip(radius + 0.5 - np.hypot(y - place[0], x - place[1]), 0, 1)
    level = float((np.abs(image) * inside).sum() / inside.sum())
    return np.asarray(CONTRAST * level * inside * np.exp(1j * np.angle(image)), np.complex64)


def _artifacts(clean: Measurements, factor: float, rng: np.random.Generator) -> Iterator[tuple[str, Measurements]]:
    sampled = clean.mask[0, 0, :, 0].numpy()
    lines = np.flatnonzero(sampled)
    shape = clean.kspace.shape
    readouts = np.ascontiguousarray(clean.kspace[0].numpy().transpose(1, 0, 2)[lines])
    steps, columns = (np.arange(n, dtype=np.int64) - n // 2 for n in shape[2:])
    block = ReadoutBlock(
        samples=readouts,
        numbers=np.arange(len(lines), dtype=np.int64),
        steps=np.stack([steps[lines], np.zeros(len(lines), np.int64)], axis=1),
        columns=np.broadcast_to(columns[[0, -1]], (len(lines), 2)),
        extent=(FIELD_OF_VIEW, FIELD_OF_VIEW, 1.0),
    )
    seed = int(rng.integers(2**31))
    assert clean.noise is not None
    excess = clean.noise * np.sqrt((NOISE * factor) ** 2 - 1)
    every = max(1, len(lines) // int(rng.integers(2, 9)))
    motion = Motion(every=every, distance=float(np.exp(rng.uniform(0, np.log(3)))))
    size = float(np.abs(readouts).max() * np.exp(rng.uniform(np.log(0.1), np.log(3))))
    hit = rng.integers(len(lines), size=1)
    spiked = readouts.copy()
    spiked[hit] = corrupted(
        replace(block, samples=readouts[hit], numbers=hit, steps=None, columns=None),
        Spikes(share=1.0, size=size, unit="absolute"),
        seed,
    )
    for name, samples in (
        ("noise", with_noise(readouts, block.numbers, Noise(level=float(excess)), seed=seed)),
        ("motion", corrupted(block, motion, seed)),
        ("spike", spiked),
    ):
        kspace = np.zeros(tuple(shape[1:]), np.complex64)
        kspace[:, lines] = samples.transpose(1, 0, 2)
        yield name, _with(clean, torch.from_numpy(kspace)[None])


def _with(clean: Measurements, kspace: Tensor) -> Measurements:
    return replace(clean, kspace=kspace, maps=maps_of(kspace, clean.mask))


def _anatomy(clean: Measurements) -> Complex:
    """(y, x) a rough image: what its centre of k-space shows is enough to place a structure in."""
    return np.asarray(clean.zero_filled()[0].numpy(), np.complex64)


def _place(clean: Measurements, rng: np.random.Generator) -> tuple[int, int]:
    """Draw a bright pixel of the body."""
    magnitude = np.abs(_anatomy(clean))
    rows, columns = np.nonzero(magnitude > 0.4 * np.quantile(magnitude, 0.99))
    chosen = int(rng.integers(len(rows)))
    return int(rows[chosen]), int(columns[chosen])
