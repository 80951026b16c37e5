"""``echotrain study weights``: where reconstructions lose, and how real the simulated acquisition is."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ...models.measurements import Reconstructor
    from ...models.model_store import ModelStore
    from ..studies.finding import Finding


class Part(StrEnum):
    """What of the study is to be made again."""

    LOSSES = "losses"
    CAUSES = "causes"
    ARCHITECTURES = "architectures"
    ACQUISITION = "acquisition"


def weights(
    label: Annotated[str, typer.Option(help="Generation that the models are called, e.g. 'second generation'.")],
    part: Annotated[list[Part] | None, typer.Option(help="Again for more. Default: all.")] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option("--method", "-m", help="Again for more.", show_default="classical ones, admm-net, modl"),
    ] = None,
    slices: Annotated[int, typer.Option(min=2, help="Validation images, evenly spread.")] = 6,
    scans: Annotated[int, typer.Option(min=2, help="Simulated scans whose statistics are compared.")] = 24,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of weights.md and figures/.")] = Path(
        "docs/studies"
    ),
    again: Annotated[bool, typer.Option("--again", help="Measure anew what the label has already.")] = False,
    folder: Annotated[Path | None, typer.Option("--weights", help="Folder of models of your own.")] = None,
) -> None:
    """Measure where reconstructions lose, to which cause, and how real simulated scans are: OUTPUT/weights.md.

    By R, SNR, coils, source and domain; by spatial frequency and region; with one thing at a time of a real scan
    simulated. Figures of other labels stay, in OUTPUT/weights.csv, and stand in the tables beside these; what a label
    has already is not measured again.
    """
    from rich.progress import track

    from ...engine.allocator import keep_freed_memory
    from ...engine.errors import ConfigurationError
    from ...models.model_card import ModelError
    from ...models.model_store import SHIPPED, ModelStore
    from ..studies.finding import merged, read_findings, write_findings
    from ..studies.page import write_parts
    from ..studies.weights_page import weights_parts

    keep_freed_memory()
    parts, page, table = part or list(Part), output / "weights.md", output / "weights.csv"
    store = ModelStore(*([folder] if folder is not None else []), SHIPPED)
    try:
        found = _found(methods or ["zero-filled", "cg-sense", "tv", "admm-net", "modl"], store)
        known = read_findings(table)
        if Part.ACQUISITION in parts:
            write_parts(page, {"acquisition": _acquisition(output / "figures" / "weights_acquisition.png", scans)})
        for one in (part for part in parts if part is not Part.ACQUISITION):
            steps = _measured(one, found, store, slices, [] if again else known, label)
            for new in track(steps, one.value, transient=True):
                known = merged(known, new)
                write_findings(table, known)  # what was interrupted goes on where it was
        write_parts(page, weights_parts(known))
    except (ModelError, OSError, ValueError) as error:
        raise ConfigurationError(str(error)) from None
    typer.echo(page)


def _found(names: list[str], store: ModelStore) -> dict[str, Reconstructor]:
    """Methods by name; models by their label, so that versions are told apart."""
    from ...models.evaluation.methods import CLASSICAL, find_method

    return {name if name in CLASSICAL else store.card(name).label: find_method(name, store, "cpu") for name in names}


def _measured(
    part: Part,
    methods: dict[str, Reconstructor],
    store: ModelStore,
    slices: int,
    known: list[Finding],
    label: str,
) -> Iterator[list[Finding]]:
    from ..studies.subgroups import subgroups
    from ..studies.weights import architectures, causes, losses

    match part:
        case Part.LOSSES:
            yield from losses(methods, subgroups(slices), known, label)
        case Part.CAUSES:
            yield from causes(methods, known, label)
        case _:
            yield architectures(store, label)


def _acquisition(figure: Path, scans: int) -> str:
    """Draw the figure, and return it and the table as Markdown."""
    from rich.progress import track

    from ...models.training.recipe import load_recipe
    from ..studies.acquisition import (
        BEFORE,
        acquisition_table,
        draw_acquisition,
        real_statistics,
        simulated_statistics,
    )
    from .train import recipe_file

    real = real_statistics()
    drawn = {"simulated before": BEFORE, "simulated now": load_recipe(recipe_file("admm-net")).acquisition}
    simulated = {
        name: list(track(simulated_statistics(one, scans), name, scans, transient=True)) for name, one in drawn.items()
    }
    draw_acquisition(figure, real, simulated)
    return f"![Distributions of each statistic]({figure.parent.name}/{figure.name})\n\n" + acquisition_table(
        real, simulated
    )
