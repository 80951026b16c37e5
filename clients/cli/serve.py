"""``echotrain serve``: the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    zmq: Annotated[str | None, typer.Option(help="ZeroMQ endpoint, tcp://HOST:PORT, or off.")] = None,
    mrd: Annotated[str | None, typer.Option(help="MRD/TCP endpoint, tcp://HOST:PORT, or off.")] = None,
    http: Annotated[str | None, typer.Option(help="HOST:PORT for /metrics, /healthz, /readyz.")] = None,
    record: Annotated[Path | None, typer.Option(help="Record everything received into this folder.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder for the gadget write_images.")] = None,
    chains: Annotated[Path | None, typer.Option(help="Folder with chains of your own.")] = None,
    curve: Annotated[Path | None, typer.Option(help="Folder with CURVE keys (see echotrain keys).")] = None,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Listen beyond loopback over ZeroMQ without CURVE.")
    ] = None,
    log: Annotated[str | None, typer.Option(help="console or json.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file (TOML).", envvar="ECHOTRAIN_CONFIG", show_envvar=True)
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Check settings and chains, then exit.")] = False,
) -> None:
    """Run the engine until SIGTERM.

    Settings come from the file, then ECHOTRAIN_… variables, then these flags; each overrides the one before.
    """
    from ...engine.settings import load_settings

    flags = {
        "zmq": zmq,
        "mrd": mrd,
        "http": http,
        "record": record,
        "images": images,
        "chains": chains,
        "curve": curve,
        "insecure": insecure or None,
        "log": log,
        "log_level": log_level,
    }
    settings = load_settings(config, flags)

    import asyncio

    from ...engine.logs import configure_logging
    from ...engine.server import Server

    configure_logging(settings.log, settings.log_level)

    async def run() -> bool:
        return await Server(settings).run()

    if check:
        from ...engine.check import check_everything

        for line in check_everything(settings):
            typer.echo(line)
        return
    if not asyncio.run(run()):
        raise typer.Exit(1)
