"""``echotrain evaluate``: how good reconstructions are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from ...models.evaluation.method import Method

METHODS = "Models, classical methods, diffusion, or samplers: dds:eta=1.0,hot=true,start_from=modl."
ACCELERATIONS = "By default 4,8, and 2,4 of the phantoms."


def numbers(text: str) -> list[float]:
    """Read the accelerations of a command line, such as ``4,8``."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"got {text!r}, expected numbers such as 4,8") from None


def evaluate(
    methods: Annotated[list[str] | None, typer.Argument(help=METHODS, metavar="[METHOD]...")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All models and all classical methods, and the mean of diffusion samples.")
    ] = False,
    accelerations: Annotated[
        str | None, typer.Option("--accelerations", "-R", metavar="R,R...", help=ACCELERATIONS)
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="simulated, or brain_t1_7ch, phantom_16ch, phantom_gre_2ch; again for more. Default: all."),
    ] = None,
    slices: Annotated[int | None, typer.Option(min=1, help="Simulated slices, evenly spread; all by default.")] = None,
    mask: Annotated[str, typer.Option(help="uniform (random lines), or equispaced (for GRAPPA).")] = "uniform",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="CSV file of every slice; what it holds already is not done again."),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Markdown file for the tables: between its markers, or at its end.")
    ] = None,
    cards: Annotated[bool, typer.Option("--cards", help="Write the figures into the cards of the models.")] = False,
    weights: Annotated[Path | None, typer.Option(help="Folder of models of your own, NAME/card.toml.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")] = "auto",
) -> None:
    """Compare reconstructions with the truth: PSNR, SSIM and NRMSE of magnitudes, means over slices.

    On fully sampled real scans, undersampled, and on scans simulated from subjects that no model has seen. Brackets are
    95 % bootstrap intervals over slices; differences to the best classical method are paired, slice by slice. Classical
    methods run with their default settings.

    diffusion is the mean of the samples that the chain diffusion-ensemble draws, as it draws them; other samplers draw
    as many by the same prior. With --output, what was interrupted goes on where it was.
    """
    from ...engine.allocator import keep_freed_memory
    from ...engine.errors import ConfigurationError
    from ...models.evaluation.card_metrics import record_metrics
    from ...models.evaluation.summary import summarise
    from ...models.model_card import ModelError
    from ...models.model_store import SHIPPED, ModelStore
    from ...models.runtimes.device import find_device
    from ..evaluation_cases import SCANS, SIMULATED, Cases
    from ..evaluation_display import markdown as as_markdown
    from ..evaluation_display import show_summaries
    from ..evaluation_methods import find_methods, known_methods
    from ..evaluation_run import run_evaluation
    from ..studies.page import write_parts

    keep_freed_memory()
    store = ModelStore(*([weights] if weights is not None else []), SHIPPED)
    try:
        names = known_methods(store) if everything else tuple(methods or ())
        if not names:
            raise ConfigurationError(
                f"nothing to evaluate: give names, or --all. Known: {', '.join(known_methods(store))}"
            )
        cases = Cases(
            data or (*SCANS, SIMULATED), None if accelerations is None else numbers(accelerations), mask, slices
        )
        where = find_device(device)
        found = find_methods(names, store, device)
        evaluation = run_evaluation(cases, found, where, output)
        summaries = summarise(evaluation.results)
        for name in store.names("supervised") if cards else ():
            rows = [row for row in summaries if row.method.partition("@")[0] == name]
            if rows:
                record_metrics(store.folder(name), rows)
        show_summaries(summaries, evaluation.refused)
        if markdown is not None:
            write_parts(markdown, {"evaluation": as_markdown(summaries, evaluation.refused, _made(found, where))})
    except (ModelError, OSError) as error:
        raise ConfigurationError(str(error)) from None
    if not summaries:
        raise typer.Exit(1)


def _made(methods: Sequence[Method], device: torch.device) -> str:
    """Return what whoever reads the table needs to make it again."""
    import datetime as dt
    import shlex
    import sys

    import torch

    from ... import __version__
    from ...models.training.publish import hardware

    command = shlex.join(["echotrain", *sys.argv[1:]])
    today = dt.datetime.now(tz=dt.UTC).date()
    machine = f"{hardware(device)}, PyTorch {torch.__version__}, echotrain {__version__}"
    labels = dict.fromkeys(f"{card.label} (`{card.sha256[:8]}`)" for method in methods for card in method.cards)
    weights = f" Weights: {', '.join(labels)}." if labels else ""
    return f"`{command}`, {today}; seconds on {machine}.{weights}"
