"""``echotrain figures``: reconstructions of a real scan, to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def figures(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the PNG files.")] = Path("docs/figures"),
    methods: Annotated[
        list[str] | None,
        typer.Argument(help="Models and classical methods; all by default.", metavar="[METHOD]..."),
    ] = None,
    accelerations: Annotated[str, typer.Option("--accelerations", "-R", metavar="R,R...")] = "4,8",
    scan: Annotated[str, typer.Option(help="Fully sampled scan of raw/.")] = "brain_t1_7ch",
    weights: Annotated[Path | None, typer.Option(help="Folder of models of your own, NAME/card.toml.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")] = "auto",
) -> None:
    """Draw reconstructions of a real scan beside its fully sampled reference, each with its error map.

    One PNG for each acceleration. Methods that cannot reconstruct random lines (GRAPPA) are left out, and that is said.
    """
    from rich.progress import track

    from ...engine.errors import ConfigurationError
    from ...models.evaluation.evaluate import evaluate
    from ...models.evaluation.figure import draw_comparison
    from ...models.evaluation.methods import CLASSICAL, find_method
    from ...models.model_card import ModelError
    from ...models.model_store import SHIPPED, ModelStore
    from ...models.runtimes.device import find_device
    from ..evaluation_cases import Cases
    from .evaluate import numbers

    store = ModelStore(*([weights] if weights is not None else []), SHIPPED)
    names = methods or [*CLASSICAL, *store.names("supervised")]
    cases = Cases((scan,), numbers(accelerations))
    output.mkdir(parents=True, exist_ok=True)
    written = []
    try:
        where = find_device(device)
        found = {name: find_method(name, store, device) for name in names}
        for case in track(cases, "drawing", transient=True):
            images = {}
            for name, method in found.items():
                try:
                    images[name] = evaluate(name, method, case, where)[1][0]
                except ValueError as error:
                    typer.echo(f"{name}, R={case.acceleration:g}: left out: {error}", err=True)
            file = output / f"{scan}_r{case.acceleration:g}.png"
            title = f"{scan}, R = {case.acceleration:g}, random lines"
            draw_comparison(file, title, case.reference[0], images)
            written.append(file)
    except ModelError as error:
        raise ConfigurationError(str(error)) from None
    for file in written:
        typer.echo(file)
