"""``echotrain chains``: what chains there are, and whether one can be built."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

chains = typer.Typer(name="chains", help="List, show and check chains.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option("--chains", help="Folder with chains of your own.")]


@chains.command("list")
def list_chains(folder: Folder = None) -> None:
    """List the chains that clients may name."""
    from rich.console import Console
    from rich.table import Table

    from ...engine.chain_config import ChainLibrary

    library = ChainLibrary(*([folder] if folder else []))
    table = Table("chain", "gadgets", "what it does", box=None)
    for name in library.names:
        spec = library.get(name)
        table.add_row(name, " > ".join(gadget for gadget, _ in spec.steps), spec.title)
    Console().print(table)


@chains.command()
def show(name: str, folder: Folder = None) -> None:
    """Show a chain with every field, defaults included."""
    from ...engine.chain_config import ChainLibrary
    from ...engine.registry import Registry
    from ...models.toml_text import toml_value

    registry = Registry()
    spec = ChainLibrary(*([folder] if folder else [])).get(name)
    _, chain_hash = spec.build(registry)
    typer.echo(f"# {spec.title}\n# SHA-256 of the resolved chain: {chain_hash}")
    for gadget, fields in spec.steps:
        typer.echo(f'\n[[chain]]\ngadget = "{gadget}"')
        for field, value in registry.resolve(gadget, fields).items():
            typer.echo(f"{field} = {toml_value(value)}" if value is not None else f"# {field} is not set")


@chains.command()
def check(file: Path) -> None:
    """Check a chain's file: every gadget, every field, and that neighbours fit."""
    from ...engine.chain_config import load_chain
    from ...engine.registry import Registry

    spec = load_chain(file)
    chain, chain_hash = spec.build(Registry())
    typer.echo(f"{file}: good, {' > '.join(chain.names)}, hash {chain_hash[:12]}")


@chains.command()
def schema() -> None:
    """Print the JSON Schema of chain files, for editors."""
    import json

    from ...engine.chain_config import json_schema
    from ...engine.registry import Registry

    typer.echo(json.dumps(json_schema(Registry()), indent=2))
