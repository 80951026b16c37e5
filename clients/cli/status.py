"""``echotrain status``: ask a running engine how it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def status(
    address: Annotated[str, typer.Argument(help="ZeroMQ endpoint of the engine.")] = "tcp://127.0.0.1:9001",
    as_json: Annotated[bool, typer.Option("--json", help="Print what the engine says as JSON.")] = False,
    curve: Annotated[Path | None, typer.Option(help="Client key file, if the engine asks for CURVE keys.")] = None,
) -> None:
    """Show a running engine's version, sessions, queues and chains."""
    import asyncio
    import json

    from rich.console import Console
    from rich.table import Table

    from ...engine.curve_keys import load_client
    from ..zmq_connection import ask_status

    found = asyncio.run(ask_status(address, curve=None if curve is None else load_client(curve)))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console = Console()
    state = "draining" if found["draining"] else "serving"
    recording = "recording" if found["recording"] else "not recording"
    console.print(
        f"echotrain {found['version']} at {address}: {state} for {found['uptime_seconds']:.0f} s, {recording}",
        highlight=False,
    )
    console.print(f"chains: {', '.join(found['chains'])}", highlight=False)
    table = Table("session", "over", "from", "state", "chain", "readouts", "MiB", "waiting MiB", "images", box=None)
    for session in found["sessions"]:
        table.add_row(
            session["session"],
            session["transport"],
            session["remote"],
            session["state"],
            session["chain"],
            str(session["readouts"]),
            f"{session['received_bytes'] / 2**20:.1f}",
            f"{session['waiting_bytes'] / 2**20:.1f}",
            str(session["images"]),
        )
    console.print(table if table.row_count else "no sessions")
