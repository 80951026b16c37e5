"""``echotrain evaluate``: how good reconstructions are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ...models.evaluation.evaluate import Result


def numbers(text: str) -> list[float]:
    """Read the accelerations of a command line, such as ``4,8``."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"got {text!r}, expected numbers such as 4,8") from None


def evaluate(
    methods: Annotated[
        list[str] | None,
        typer.Argument(help="Models, or zero-filled, cg-sense, tv, l1-wavelet, grappa.", metavar="[METHOD]..."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All models and all classical methods.")] = False,
    accelerations: Annotated[str, typer.Option("--accelerations", "-R", metavar="R,R...")] = "4,8",
    data: Annotated[
        list[str] | None,
        typer.Option(help="simulated, or brain_t1_7ch, phantom_16ch, phantom_gre_2ch; again for more. Default: all."),
    ] = None,
    slices: Annotated[int | None, typer.Option(min=1, help="Simulated slices, evenly spread; all by default.")] = None,
    mask: Annotated[str, typer.Option(help="uniform (random lines), or equispaced (for GRAPPA).")] = "uniform",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="CSV file for every slice's figures.")] = None,
    cards: Annotated[bool, typer.Option("--cards", help="Write the figures into the cards of the models.")] = False,
    weights: Annotated[Path | None, typer.Option(help="Folder of models of your own, NAME/card.toml.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")] = "auto",
) -> None:
    """Compare reconstructions with the truth: PSNR, SSIM and NRMSE of magnitudes, means over slices.

    On scans simulated from subjects that no model has seen, and on fully sampled real scans, undersampled. Brackets are
    95 % bootstrap intervals over slices. Classical methods run with their default settings.
    """
    from rich.progress import track

    from ...engine.allocator import keep_freed_memory
    from ...engine.errors import ConfigurationError
    from ...models.evaluation.card_metrics import record_metrics
    from ...models.evaluation.evaluate import evaluate as evaluate_case
    from ...models.evaluation.evaluate import summarise
    from ...models.evaluation.methods import CLASSICAL, find_method
    from ...models.model_card import ModelError
    from ...models.model_store import SHIPPED, ModelStore
    from ...models.runtimes.device import find_device
    from ..evaluation_cases import SCANS, SIMULATED, Cases
    from ..evaluation_display import show_summaries

    keep_freed_memory()
    folders = [*([weights] if weights is not None else []), SHIPPED]
    store = ModelStore(*folders)
    known = (*CLASSICAL, *store.names("supervised"))
    names = known if everything else tuple(methods or ())
    if not names:
        raise ConfigurationError(f"nothing to evaluate: give names, or --all. Known: {', '.join(known)}")
    cases = Cases(data or (SIMULATED, *SCANS), numbers(accelerations), mask, slices)
    results: list[Result] = []
    refused: dict[str, str] = {}
    try:
        where = find_device(device)
        found = {name: find_method(name, store, device) for name in names}
        for case in track(cases, "evaluating", transient=True):
            for name, method in found.items():
                try:
                    results += evaluate_case(name, method, case, where)[0]
                except ValueError as error:  # some methods cannot do with some sampling
                    refused[f"{name}, {case.data}, R={case.acceleration:g}"] = str(error)
        summaries = summarise(results)
        for name in store.names("supervised") if cards else ():
            rows = [row for row in summaries if row.method.partition("@")[0] == name]
            if rows:
                record_metrics(next(f / name for f in folders if (f / name / "card.toml").is_file()), rows)
        if output is not None:
            _write(output, results)
    except (ModelError, OSError) as error:
        raise ConfigurationError(str(error)) from None
    show_summaries(summaries, refused)
    if not results:
        raise typer.Exit(1)


def _write(file: Path, results: list[Result]) -> None:
    import csv
    import dataclasses

    from ...models.evaluation.evaluate import Result

    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(field.name for field in dataclasses.fields(Result))
        writer.writerows(dataclasses.astuple(result) for result in results)
