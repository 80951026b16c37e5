"""``echotrain figures``: reconstructions of real scans, to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .evaluate import ACCELERATIONS, METHODS, numbers

if TYPE_CHECKING:
    from torch import Tensor


def figures(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the PNG files.")] = Path("docs/figures"),
    methods: Annotated[
        list[str] | None, typer.Argument(help=f"{METHODS} All by default.", metavar="[METHOD]...")
    ] = None,
    accelerations: Annotated[
        str | None, typer.Option("--accelerations", "-R", metavar="R,R...", help=ACCELERATIONS)
    ] = None,
    scan: Annotated[
        list[str] | None, typer.Option(help="Fully sampled scan of raw/; again for more. Default: all.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Folder of models of your own, NAME/card.toml.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")] = "auto",
) -> None:
    """Draw reconstructions of real scans beside the fully sampled reference, each with its error map.

    One PNG for each scan and acceleration. Methods that cannot reconstruct random lines (GRAPPA) are left out, and that
    is said.
    """
    from rich.progress import track

    from ...engine.errors import ConfigurationError
    from ...models.evaluation.evaluate import evaluate
    from ...models.evaluation.figure import draw_comparison
    from ...models.model_card import ModelError
    from ...models.model_store import SHIPPED, ModelStore
    from ...models.runtimes.device import find_device
    from ..evaluation_cases import SCANS, Cases
    from ..evaluation_methods import find_methods, known_methods

    store = ModelStore(*([weights] if weights is not None else []), SHIPPED)
    written = []
    try:
        cases = Cases(scan or SCANS, None if accelerations is None else numbers(accelerations))
        where = find_device(device)
        found = find_methods(methods or known_methods(store), store, device)
        output.mkdir(parents=True, exist_ok=True)
        for case in track(cases, "drawing", transient=True):
            images: dict[str, Tensor] = {}
            for method in found:
                try:
                    made = evaluate(method, case, where)[1]
                except ValueError as error:
                    typer.echo(f"{method.names[0]}, R={case.acceleration:g}: left out: {error}", err=True)
                else:
                    images.update((name, image[0]) for name, image in made.items())
            file = output / f"{case.data}_r{case.acceleration:g}.png"
            title = f"{case.data}, R = {case.acceleration:g}, random lines"
            draw_comparison(file, title, case.reference[0], images)
            written.append(file)
    except ModelError as error:
        raise ConfigurationError(str(error)) from None
    for file in written:
        typer.echo(file)
