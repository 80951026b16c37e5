"""``echotrain study``: make the measurements of docs/studies again, one file a study."""

from __future__ import annotations

import typer

from .study_weights import weights

study = typer.Typer(
    name="study",
    help="Make a study of docs/studies again: its tables and figures, not its prose.",
    no_args_is_help=True,
)
study.command()(weights)
