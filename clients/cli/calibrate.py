"""``echotrain calibrate``: how far the intervals of an ensemble must be stretched to keep their promise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...models.trained_range import TrainedRange
    from ...models.uncertainty.named_ensemble import NamedEnsemble
    from ...models.uncertainty.running_ensemble import Construction

HELD_OUT_FILE = "images/brains_train.h5"
HELD_OUT = ("msl-04", "cheng-046", "cheng-047")
"""Subjects of ``HELD_OUT_FILE`` that were kept out of training."""
_NOTE = (
    "These subjects were kept out of training, but the weights that are shipped are those that were best on them. "
    "Slices of one subject resemble one another: they are fewer independent draws than their number says."
)
_SEED = 0


def calibrate(
    context: typer.Context,
    members: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME...",
            help="Models whose spread is the uncertainty, and classical methods: sense, cs-tv, cs-wavelet.",
        ),
    ] = None,
    prior: Annotated[str | None, typer.Option(help="Or a diffusion prior, whose samples' spread it is.")] = None,
    sampler: Annotated[str, typer.Option(help="How its samples are drawn.")] = "dds",
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of the sampler; its own default else.")] = None,
    samples: Annotated[int, typer.Option(min=2, help="Samples of each slice.")] = 8,
    settings: Annotated[
        str,
        typer.Option(
            metavar="KEY=VALUE,...",
            help="Of the sampler, as a chain has them: eta=1.0,hot=true; or of members: cs-tv.iterations=30.",
        ),
    ] = "",
    start: Annotated[
        str | None, typer.Option("--start-from", help="What hot starts begin at: a method or model; CG-SENSE else.")
    ] = None,
    acceleration: Annotated[str, typer.Option(metavar="LOW,HIGH", help="Range to calibrate for: R")] = "4,8",
    snr: Annotated[str, typer.Option(metavar="LOW,HIGH", help="... SNR")] = "20,80",
    coils: Annotated[str, typer.Option(metavar="LOW,HIGH", help="... number of coils")] = "6,12",
    matrix: Annotated[str, typer.Option(metavar="LOW,HIGH", help="... pixels a side")] = "192,256",
    intervals: Annotated[
        str, typer.Option(help="deviation: image -+ standard deviation; quantiles: 5 % to 95 %.")
    ] = "deviation",
    alpha: Annotated[float, typer.Option(help="Share of the body's pixels that may lie outside.")] = 0.1,
    delta: Annotated[float, typer.Option(help="Probability that the calibration may fail.")] = 0.1,
    slices: Annotated[
        int | None, typer.Option(min=1, help="To calibrate on, and to evaluate on, evenly spread; all by default.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Folder of models of your own, NAME/card.toml.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the record; the first member's by default.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")] = "auto",
) -> None:
    """Calibrate the intervals of an ensemble, and evaluate them on other subjects; ``flags``: artifact flags.

    Risk-controlling prediction sets: with a confidence of 1 - delta, at most a share of alpha of the body's pixels is
    expected outside, of scans like those simulated. The record, calibration-METHOD.toml, says for what it holds.

    Goes on where the same command was interrupted: until the record is there, what was computed is kept beside it.
    """
    if context.invoked_subcommand is not None:
        return
    import datetime as dt

    from rich.progress import track

    from ...engine.errors import ConfigurationError
    from ...models.model_card import ModelError
    from ...models.model_store import SHIPPED, ModelStore
    from ...models.runtimes.device import find_device
    from ...models.shared_data import read_images, split_images
    from ...models.uncertainty.calibration import CalibrationError, check_promise
    from ...models.uncertainty.calibration_cases import calibration_cases
    from ...models.uncertainty.calibration_record import (
        CalibrationData,
        CalibrationRecord,
        calibration_file,
        save_calibration,
    )
    from ...models.uncertainty.ensemble_calibration import calibrate_ensemble, evaluate_ensemble
    from ...models.uncertainty.kept_rows import KeptRows
    from ...models.uncertainty.named_ensemble import named_ensemble_of_methods, named_ensemble_of_samples
    from ..calibration_display import show_calibration
    from ..evaluation_cases import IMAGES

    folders = [*([weights] if weights is not None else []), SHIPPED]
    store = ModelStore(*folders)
    scope = scope_of(acceleration, snr, coils, matrix)
    construction = _construction(intervals)
    try:
        where = find_device(device)
        if (members is None) == (prior is None):
            raise ConfigurationError("expected either --members or --prior, to say what the ensemble is")
        if start is not None and prior is None:
            raise ConfigurationError("--start-from is for samples of a --prior; --members start as they do")
        if prior is not None:
            wanted = named_ensemble_of_samples(
                store, prior, sampler, _settings(settings, steps), samples, start=start, device=device
            )
        else:
            names = (members or "").split(",")
            wanted = named_ensemble_of_methods(store, names, _settings_of_members(settings, steps), device=device)
        seen, unseen = (
            spread_over(split_images(HELD_OUT_FILE, HELD_OUT)[1], slices),
            spread_over(read_images(IMAGES), slices),
        )
        check_promise(len(seen), alpha, delta)
        folder = output or store.folder(wanted.cards[0].name)
        folder.mkdir(parents=True, exist_ok=True)
        kept = KeptRows(
            calibration_file(folder, wanted.method).with_suffix(".npz"),
            _key(wanted, scope, construction, seen, unseen),
        )
        if len(kept):
            typer.echo(f"going on after {len(kept)} of {len(seen) + len(unseen)} slices")

        cases = track(calibration_cases(seen, scope, seed=_SEED), "calibrating", total=len(seen), transient=True)
        found = calibrate_ensemble(
            wanted.ensemble, cases, construction, alpha=alpha, delta=delta, device=where, kept=kept
        )
        cases = track(calibration_cases(unseen, scope, seed=_SEED), "evaluating", total=len(unseen), transient=True)
        metrics = evaluate_ensemble(
            wanted.ensemble, cases, construction, found.scale, data=f"simulated {IMAGES}", device=where, kept=kept
        )
        record = CalibrationRecord(
            method=wanted.method,
            construction=construction,
            scale=found.scale,
            alpha=alpha,
            delta=delta,
            risk=found.risk,
            bound=found.bound,
            date=dt.datetime.now(dt.UTC).date(),
            weights=wanted.weights,
            settings=wanted.settings,
            scope=scope,
            data=CalibrationData(file=HELD_OUT_FILE, subjects=HELD_OUT, slices=found.images, seed=_SEED, note=_NOTE),
            metrics=metrics,
        )
        file = save_calibration(record, folder)
        kept.forget()
    except (ModelError, CalibrationError, OSError, ValueError) as error:
        raise ConfigurationError(str(error)) from None
    show_calibration(record)
    typer.echo(str(file))


def _settings(text: str, steps: int | None) -> dict[str, object]:
    import tomllib

    from ...engine.errors import ConfigurationError

    try:
        found: dict[str, object] = tomllib.loads(f"settings = {{ {text} }}")["settings"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"--settings is {text!r}, expected KEY=VALUE,... as in a chain: {error}") from None
    return found if steps is None else {**found, "steps": steps}


def _settings_of_members(text: str, steps: int | None) -> dict[str, dict[str, object]]:
    from ...engine.errors import ConfigurationError

    found = {name: values for name, values in _settings(text, steps).items() if isinstance(values, dict)}
    if unknown := _settings(text, steps).keys() - found.keys():
        raise ConfigurationError(
            f"got {', '.join(sorted(unknown))} for --members, expected --settings MEMBER.KEY=VALUE"
        )
    return found


def _key(
    ensemble: NamedEnsemble,
    scope: TrainedRange,
    construction: Construction,
    *images: NDArray[np.uint8],
) -> str:
    """Tell everything that risks depend on."""
    import hashlib
    import json

    return json.dumps(
        {
            "method": ensemble.method,
            "weights": ensemble.weights,
            "settings": ensemble.settings,
            "construction": construction,
            "scope": scope.model_dump(),
            "images": [hashlib.sha256(part.tobytes()).hexdigest() for part in images],
            "seed": _SEED,
        }
    )


def scope_of(acceleration: str, snr: str, coils: str, matrix: str) -> TrainedRange:
    """Read the acquisitions to simulate, each LOW,HIGH."""
    from pydantic import ValidationError

    from ...engine.errors import ConfigurationError
    from ...models.trained_range import TrainedRange

    ends = {"acceleration": acceleration, "snr": snr, "coils": coils, "matrix": matrix}
    values: dict[str, object] = {name: tuple(text.split(",")) for name, text in ends.items()}
    try:
        return TrainedRange.model_validate({**values, "masks": ("uniform",)})
    except ValidationError as error:
        faults = "; ".join(f"--{e['loc'][0]}: {e['msg']}" if e["loc"] else e["msg"] for e in error.errors())
        raise ConfigurationError(f"{faults}; expected LOW,HIGH") from None


def _construction(name: str) -> Construction:
    from ...engine.errors import ConfigurationError
    from ...models.uncertainty.running_ensemble import NOMINAL

    for known in NOMINAL:
        if name == known:
            return known
    raise ConfigurationError(f"--intervals is {name!r}, expected {' or '.join(NOMINAL)}")


def spread_over(images: NDArray[np.uint8], count: int | None) -> NDArray[np.uint8]:
    """Choose some slices, evenly spread; all where there are no more, or None."""
    import numpy as np

    return np.ascontiguousarray(images[spread_numbers(len(images), count)])


def spread_numbers(total: int, count: int | None) -> NDArray[np.intp]:
    """Return which of so many slices ``spread_over`` chooses."""
    import numpy as np

    return np.linspace(0, total - 1, min(count or total, total)).round().astype(np.intp)
