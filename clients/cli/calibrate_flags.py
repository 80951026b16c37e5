"""``echotrain calibrate flags``: train artifact flags on simulated scans, and judge them on others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .calibrate import scope_of, spread_over
from .flag_scans import (
    CLEAN_SEED,
    FILE,
    OTHER_SEED,
    TrainingSlices,
    clean_rows,
    clean_scans,
    data_note,
    strange_pictures,
    training_slices,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from ...models.flags.case_rows import CaseRows
    from ...models.flags.cases import Attack
    from ...models.flags.evidence import Complex, Search
    from ...models.flags.flag import Flag
    from ...models.flags.flag_model import FlagModel, Regions, Typical
    from ...models.flags.kinds import FlagKind
    from ...models.measurements import Measurements, Reconstructor
    from ...models.model_card import Metric
    from ...models.model_store import ModelStore
    from ...models.perturbation.attacked import Reconstruct
    from ...models.trained_range import TrainedRange
    from ...models.uncertainty.kept_rows import KeptRows

_SEED = 0
_SEEDS = (_SEED, OTHER_SEED, CLEAN_SEED)
_SPREAD = 1.5
_REAL_ACCELERATION = 4.0
_SEARCH_EPSILON, _SEARCH_ITERATIONS, _SEARCHED = 0.01, 2, "2 steps at 0.01 of the data"
"""As the chain ``trusted`` searches the worst change, and how its metadata say so."""


def calibrate_flags(
    judged: Annotated[str, typer.Option(help="Model whose images are judged.")] = "default-supervised",
    conventional: Annotated[str, typer.Option(help="Method that they are compared with.")] = "sense",
    slices: Annotated[int, typer.Option(min=10, help="Slices to train on, evenly spread.")] = 160,
    held_out: Annotated[
        int,
        typer.Option(
            min=0,
            help="And slices of subjects that the judged model was not trained on; thresholds come from clean "
            "scans of all that there are of these.",
        ),
    ] = 80,
    others: Annotated[int, typer.Option(min=5, help="Slices of other subjects to judge on.")] = 80,
    iterations: Annotated[int, typer.Option(min=0, help="Steps of a worst case; 0 for none.")] = 5,
    adaptive: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Slices to be attacked by somebody who knows the flag; 12 by default if it is compared with sense.",
        ),
    ] = None,
    acceleration: Annotated[str, typer.Option(metavar="LOW,HIGH", help="Range to train for: R")] = "4,8",
    snr: Annotated[str, typer.Option(metavar="LOW,HIGH", help="... SNR")] = "20,80",
    coils: Annotated[str, typer.Option(metavar="LOW,HIGH", help="... number of coils")] = "6,12",
    matrix: Annotated[str, typer.Option(metavar="LOW,HIGH", help="... pixels a side")] = "192,256",
    note: Annotated[str, typer.Option(help="What users of the flags have to know.")] = "",
    weights: Annotated[Path | None, typer.Option(help="Folder of models of your own, NAME/card.toml.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the flags; the judged model's by default.")
    ] = None,
) -> None:
    """Train artifact flags, and judge them on subjects that they were not trained on.

    Every slice's scan is simulated clean, noisy, moved, with a spike, with a structure that only the image has, and
    attacked by a worst case for the judged model; scans of other objects stand for what is out of distribution. The
    file, flags-CONVENTIONAL.toml, holds plain numbers that can be read and changed.

    Goes on where the same command was interrupted: until the flags are there, what was computed is kept beside them.
    """
    import datetime as dt
    import json

    from rich.progress import track

    from ...engine.errors import ConfigurationError
    from ...models.flags.cases import flag_cases
    from ...models.flags.flag_model import FlagData, FlagModel, flag_file, save_flags
    from ...models.flags.judging import judge_flags
    from ...models.flags.table import feature_table
    from ...models.model_card import ModelError
    from ...models.model_store import SHIPPED, ModelStore
    from ...models.shared_data import read_images
    from ...models.uncertainty.classical_members import classical_method
    from ...models.uncertainty.kept_rows import KeptRows
    from ..evaluation_cases import IMAGES
    from ..flags_display import show_flags

    store = ModelStore(*[*([weights] if weights is not None else []), SHIPPED])
    scope = scope_of(acceleration, snr, coils, matrix)
    adaptive = _adaptive(adaptive, conventional, iterations)
    try:
        card = store.card(judged)
        reconstruct, compared = store.load(card.name, device="cpu"), classical_method(conventional, {})
        attack = _attack(_with_gradients(store, card.name), iterations) if iterations else None
        search = _search(_with_gradients(store, card.name)) if iterations else None
        methods = (reconstruct, compared, search)
        seen, unseen = training_slices(slices, held_out), spread_over(read_images(IMAGES), others)
        folder = output or store.folder(card.name)
        folder.mkdir(parents=True, exist_ok=True)
        sizes = (len(seen.images), len(seen.clean), len(unseen), adaptive)
        key = [card.sha256, conventional, iterations, scope.model_dump(), sizes, _SEARCHED, _SEEDS]
        kept = KeptRows(flag_file(folder, conventional).with_suffix(".npz"), json.dumps(key))
        if len(kept):
            typer.echo(f"going on after {len(kept)} slices")
        typical, flags, regions = _fitted(seen, scope, attack, methods, kept)
        judge = flag_cases(unseen, strange_pictures(len(unseen), _side(unseen)), scope, seed=OTHER_SEED, attack=attack)
        rows = feature_table("judging", track(judge, "judging", total=len(unseen), transient=True), *methods, kept)
        model = FlagModel(
            judged=card.name,
            conventional=conventional,
            date=dt.datetime.now(dt.UTC).date(),
            weights={card.name: card.sha256},
            note=note,
            search="" if search is None else _SEARCHED,
            scope=scope,
            data=FlagData(file=FILE, slices=len(seen.images), seed=_SEED, note=data_note(held_out)),
            typical=typical,
            regions=regions,
            flags=flags,
            metrics=judge_flags(rows, typical, flags, data=f"simulated {IMAGES}"),
        )
        more = [_real_alarms(model, *methods)]
        if attack is not None and search is not None and adaptive:
            more += _known(
                clean_scans(unseen, adaptive, scope),
                (reconstruct, _with_gradients(store, card.name)),
                (attack, search),
                kept,
                (rows, typical, flags["worst_case"]),
            )
        model = model.model_copy(update={"metrics": (*model.metrics, *more)})
        file = save_flags(model, folder)
        kept.forget()
    except (ModelError, OSError, ValueError) as error:
        raise ConfigurationError(str(error)) from None
    show_flags(model)
    typer.echo(str(file))


def _fitted(
    seen: TrainingSlices,
    scope: TrainedRange,
    attack: Attack | None,
    methods: tuple[Reconstructor, Reconstructor, Search | None],
    kept: KeptRows,
) -> tuple[Typical, dict[FlagKind, Flag], Regions]:
    """Simulate the scans that flags are trained on, and train them."""
    from rich.progress import track

    from ...models.flags.cases import flag_cases
    from ...models.flags.objects import random_objects
    from ...models.flags.table import feature_table
    from ...models.flags.training import fit_flags, fit_regions, fit_typical, with_distance

    count = len(seen.images)
    strange = random_objects(count, _side(seen.images), seed=_SEED)
    cases = flag_cases(seen.images, strange, scope, seed=_SEED, attack=attack, spread=_SPREAD)
    rows = feature_table("training", track(cases, "training", total=count, transient=True), *methods, kept)
    typical, regions = fit_typical(rows), fit_regions(rows.regions)
    if len(seen.clean):
        rows = rows.joined(clean_rows(seen.clean, scope, methods, kept))
    unseen = set(seen.subjects[count:])
    return typical, fit_flags(with_distance(rows, typical), seen.subjects, unseen), regions


def _side(images: NDArray[np.uint8]) -> int:
    side: int = min(images.shape[1:])
    return side


def _adaptive(asked: int | None, conventional: str, iterations: int) -> int:
    """Slices to attack by somebody who knows the flag."""
    from ...engine.errors import ConfigurationError

    possible = conventional == "sense" and iterations > 0
    if asked is None:
        return 12 if possible else 0
    if asked and not possible:
        raise ConfigurationError(
            f"--adaptive {asked} needs gradients of the conventional method, and worst cases: got --conventional "
            f"{conventional} and --iterations {iterations}, expected sense and at least 1"
        )
    return asked


def _known(
    scans: Iterable[Measurements],
    judged: tuple[Reconstructor, Reconstruct],
    attacks: tuple[Attack, Search],
    kept: KeptRows,
    of: tuple[CaseRows, Typical, Flag],
) -> tuple[Metric, ...]:
    """Judge a flag by who knows it, beside the clean scans of some rows."""
    from ...models.classical.cg_sense import CGSense
    from ...models.flags.adaptive_judging import adaptive_table, judge_adaptive
    from ...models.flags.judging import on_clean
    from ..evaluation_cases import IMAGES

    table = adaptive_table(scans, judged, (CGSense(), CGSense()), of[-1], *attacks, kept)
    return judge_adaptive(table, on_clean(*of), data=f"simulated {IMAGES}")


def _with_gradients(store: ModelStore, name: str) -> Reconstruct:
    from ...models.perturbation.white_box import white_box

    return white_box(name, store, device="cpu")


def _attack(reconstruct: Reconstruct, iterations: int) -> Attack:
    """Worst cases for a reconstruction, in the norm of k-space."""
    import torch

    from ...models.perturbation.worst_case import worst_case

    def attack(measurements: Measurements, epsilon: float, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return worst_case(reconstruct, measurements, epsilon=epsilon, iterations=iterations, generator=generator).delta

    return attack


def _search(reconstruct: Reconstruct) -> Search:
    """Search the worst change of a scan as the chain ``trusted`` does."""
    import torch

    from ...models.perturbation.sensitivity import sensitivity

    def search(measurements: Measurements) -> Complex:
        found = sensitivity(
            reconstruct,
            measurements,
            epsilon=_SEARCH_EPSILON,
            iterations=_SEARCH_ITERATIONS,
            generator=torch.Generator().manual_seed(_SEED),
        )
        change: Complex = found.delta[0].numpy()
        return change

    return search


def _real_alarms(model: FlagModel, judged: Reconstructor, conventional: Reconstructor, search: Search | None) -> Metric:
    """Count the clean real scans that have a flag above a notice."""
    from dataclasses import replace

    from ...models.flags.assess import assess
    from ...models.flags.evidence import Evidence
    from ...models.model_card import Metric
    from ...models.noise_level import estimated_noise
    from ...models.signal_to_noise import body_snr
    from ..evaluation_cases import SCANS, scan_case

    told = []
    for name in SCANS:
        scan = scan_case(name, _REAL_ACCELERATION).measurements
        images = (judged(scan)[0].cpu().numpy(), conventional(scan)[0].cpu().numpy())
        evidence = Evidence(scan, *images, worst_change=None if search is None else search(scan))
        _, coils, height, width = scan.kspace.shape
        outside = model.outside(
            weights=model.weights,
            acceleration=evidence.acceleration,
            matrix=(height, width),
            coils=coils,
            snr=body_snr(replace(scan, noise=estimated_noise(scan))),
        )
        report = assess(evidence, model.flags, model, names=(model.judged, model.conventional), outside=outside)
        told.append(f"{name} {report.severity}{', not calibrated' if report.outside else ''}")
    loud = sum(" warning" in one or " severe" in one for one in told)
    case = f"clean real scans at R = {_REAL_ACCELERATION:g}: {'; '.join(told)}"
    return Metric(case=case, metric="scans above notice", value=loud)
