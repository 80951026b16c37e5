"""The command line: one file a command. Heavy imports stand inside the commands, so that ``--help`` is instant."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ... import __version__
from .calibrate import calibrate
from .calibrate_flags import calibrate_flags
from .chains import chains
from .demo import demo
from .diffusion_figures import diffusion_figures
from .evaluate import evaluate
from .figures import figures
from .gadgets import gadgets
from .keys import keys
from .models import models
from .recon import recon
from .recordings import recordings
from .replay import replay
from .serve import serve
from .simulate import simulate
from .status import status
from .study import study
from .train import train

app = typer.Typer(
    name="echotrain",
    help="A streaming MR reconstruction engine: MRD raw data in, images out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, serve, recon, simulate, replay, status, train, evaluate, figures):
    app.command()(command)
calibration = typer.Typer(name="calibrate", invoke_without_command=True)
calibration.callback()(calibrate)
calibration.command("flags")(calibrate_flags)
app.add_typer(calibration)
for group in (chains, gadgets, models, recordings, keys, diffusion_figures, study):
    app.add_typer(group)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"echotrain {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; errors of ours are one message on standard error and exit code 1."""
    from ...engine.errors import EchotrainError

    try:
        app()
    except EchotrainError as error:
        where = f" (gadget {error.gadget})" if error.gadget else ""
        typer.echo(f"echotrain: {error}{where}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
