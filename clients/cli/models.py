"""``echotrain models``: the trained models that chains may name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

models = typer.Typer(name="models", help="List, show, verify and export trained models.", no_args_is_help=True)


@models.command("list")
def list_models() -> None:
    """List the models that chains may name."""
    from rich.console import Console
    from rich.table import Table

    from ...models.defaults import ALIASES
    from ...models.model_store import shared_store

    store = shared_store()
    table = Table("model", "architecture", "parameters", "trained for R", "coils", "default", box=None)
    for name in store.names():
        card = store.card(name)
        supervised = card.kind == "supervised"  # priors know images, whatever scan they come from
        scans = (_span(card.trained.acceleration), _span(card.trained.coils)) if supervised else ("any", "any")
        table.add_row(
            card.label, card.architecture, f"{card.parameters:,}", *scans, "yes" if name in ALIASES.values() else ""
        )
    Console().print(table)


def _span(bounds: tuple[float, float]) -> str:
    low, high = bounds
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


@models.command()
def show(name: str) -> None:
    """Show a model's card: data, training, quality, limits."""
    from rich.console import Console
    from rich.markdown import Markdown

    from ...engine.errors import ConfigurationError
    from ...models.model_card import ModelError
    from ...models.model_readme import model_readme
    from ...models.model_store import shared_store

    try:
        Console().print(Markdown(model_readme(shared_store().card(name))))
    except ModelError as error:
        raise ConfigurationError(str(error)) from None


@models.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="All by default.")] = None,
) -> None:
    """Verify checksums, load the weights, and compare ONNX Runtime with PyTorch."""
    from ...engine.errors import ConfigurationError
    from ...models.model_card import ModelError
    from ...models.model_store import shared_store
    from ...models.runtimes.onnx_export import TOLERANCE, export_blocks

    store = shared_store()
    for name in names or store.names():
        try:
            blocks = export_blocks(store.network(name))
        except ModelError as error:
            raise ConfigurationError(str(error)) from None
        typer.echo(f"{store.card(name).label}: checksum right; {len(blocks)} blocks agree within {TOLERANCE:g}")


@models.command()
def export(
    name: str,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for PATH.onnx, one a block.")],
) -> None:
    """Export a model's real-valued blocks as ONNX models, for any batch, height and width."""
    from ...engine.errors import ConfigurationError
    from ...models.model_card import ModelError
    from ...models.model_store import shared_store
    from ...models.runtimes.onnx_cache import write_blocks
    from ...models.runtimes.onnx_export import export_blocks

    try:
        blocks = export_blocks(shared_store().network(name))
        write_blocks(blocks, output)
    except (ModelError, OSError) as error:
        raise ConfigurationError(str(error)) from None
    for path in blocks:
        typer.echo(str(output / f"{path}.onnx"))
