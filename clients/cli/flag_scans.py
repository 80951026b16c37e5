"""The scans that flags are trained on and judged by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from .calibrate import HELD_OUT, spread_numbers, spread_over

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...models.flags.case_rows import CaseRows
    from ...models.flags.evidence import Search
    from ...models.measurements import Measurements, Reconstructor
    from ...models.trained_range import TrainedRange
    from ...models.uncertainty.kept_rows import KeptRows

FILE = "images/brains_train.h5"
OTHER_SEED, CLEAN_SEED = 2000, 3000
_NOTE = "Slices of one subject resemble one another. The judged model was trained on images of this file, too"


class TrainingSlices(NamedTuple):
    """What flags are trained on."""

    images: NDArray[np.uint8]
    """(slices, y, x): of these every artifact is simulated."""
    clean: NDArray[np.uint8]
    """(slices, y, x), of subjects that the judged model was not trained on: scanned once more, without artifacts."""
    subjects: tuple[str, ...]
    """Whose slices they are: of ``images``, then of ``clean``."""


def training_slices(slices: int, held_out: int) -> TrainingSlices:
    """Read slices of all subjects, and then some of those alone that the judged model was not trained on.

    Of what it was trained on a model leaves less unexplained: flags would be raised by any other scan.
    """
    import numpy as np

    from ...models.shared_data import read_images, read_subjects

    images, subjects = read_images(FILE), np.array(read_subjects(FILE))
    unseen = np.flatnonzero(np.isin(subjects, HELD_OUT))[: None if held_out else 0]
    chosen = spread_numbers(len(images), slices)
    if held_out:
        chosen = np.concatenate([chosen, unseen[spread_numbers(len(unseen), held_out)]])
    return TrainingSlices(images[chosen], images[unseen], tuple(subjects[[*chosen, *unseen]].tolist()))


def data_note(held_out: int) -> str:
    """Say whose slices ``training_slices`` are."""
    if not held_out:
        return f"{_NOTE}."
    return (
        f"{_NOTE}, but for {', '.join(HELD_OUT)}, of whom at least {held_out} slices are; thresholds come from "
        "clean scans of all slices of these."
    )


def strange_pictures(count: int, side: int) -> NDArray[np.uint8]:
    """Pictures of what is no head: real phantoms, turned and flipped, and random objects, in turn."""
    import numpy as np

    from ...models.flags.objects import random_objects
    from ...models.fourier import centred_ifft, resized
    from ...models.shared_data import shared_data
    from ..fully_sampled import fully_sampled_kspace

    pictures = random_objects(count, side, seed=OTHER_SEED)
    for number in range(0, count, 2):
        name = ("phantom_16ch", "phantom_gre_2ch")[number // 2 % 2]
        kspace = fully_sampled_kspace(shared_data() / "raw" / f"{name}.h5")
        coil_images = centred_ifft(resized(kspace, (side, side), (1, 2)), (1, 2))
        magnitude = np.sqrt(np.sum(np.abs(coil_images) ** 2, axis=0))
        magnitude = np.rot90(magnitude, number // 4 % 4)[:: 1 - 2 * (number // 16 % 2)]
        pictures[number] = (255 * np.clip(magnitude / np.quantile(magnitude, 0.999), 0, 1)).round()
    return pictures


def clean_scans(images: NDArray[np.uint8], count: int, scope: TrainedRange) -> Iterator[Measurements]:
    """Simulate scans of some images, evenly spread."""
    from rich.progress import track

    from ...models.uncertainty.calibration_cases import calibration_cases

    cases = calibration_cases(spread_over(images, count), scope, seed=OTHER_SEED)
    yield from (case.measurements for case in track(cases, "adaptive", total=count, transient=True))


def clean_rows(
    images: NDArray[np.uint8],
    scope: TrainedRange,
    methods: tuple[Reconstructor, Reconstructor, Search | None],
    kept: KeptRows,
) -> CaseRows:
    """Compute the features of clean scans of some images: how flags are not to be raised by nothing."""
    from rich.progress import track

    from ...models.flags.cases import clean_cases
    from ...models.flags.table import feature_table

    cases = clean_cases(images, scope, seed=CLEAN_SEED)
    return feature_table("clean", track(cases, "clean", total=len(images), transient=True), *methods, kept)
