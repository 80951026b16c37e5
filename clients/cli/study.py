"""``echotrain study``: make the measurements of docs/studies again, one file a study."""

from __future__ import annotations

import typer

from .study_denoise import denoise
from .study_samplers import samplers
from .study_shift import shift
from .study_transfer import transfer
from .study_weights import weights

study = typer.Typer(
    name="study",
    help="Make a study of docs/studies again: its tables and figures, not its prose.",
    no_args_is_help=True,
)
for command in (transfer, denoise, shift, samplers, weights):
    study.command()(command)
