"""``echotrain keys``: CURVE keys for engines that listen beyond loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

keys = typer.Typer(name="keys", help="Make and list CURVE keys for ZeroMQ.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Folder of the engine's keys, as `serve --curve` takes it.")]


@keys.command()
def make(folder: Folder) -> None:
    """Make the engine's own key pair in a folder."""
    from ...engine.curve_keys import make_keys, save_keys

    pair = make_keys()
    file = folder / "server.toml"
    save_keys(file, pair)
    typer.echo(f"wrote {file}; the engine's public key is {pair.public}")


@keys.command("add-client")
def add_client(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="What the engine calls this client.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Client's key file to write.")] = None,
) -> None:
    """Make a client's key file and allow the client at the engine."""
    from ...engine.curve_keys import make_client, save_client

    target = output or Path(f"{name}.toml")
    save_client(target, make_client(folder, name))
    typer.echo(f"wrote {target}: give it to the client over a safe channel; {name} may connect at once")


@keys.command("list")
def list_clients(folder: Folder) -> None:
    """List the clients that may connect."""
    from rich.console import Console
    from rich.table import Table

    from ...engine.curve_keys import allowed_clients, load_server

    server = load_server(folder)
    table = Table("client", "public key", box=None)
    for name, public in allowed_clients(server.clients).items():
        table.add_row(name, public)
    console = Console()
    console.print(f"engine {server.keys.public}", highlight=False, markup=False)
    console.print(table if table.row_count else "no client may connect yet: echotrain keys add-client")
