"""``echotrain recon``: reconstruct a scan without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .perturbing import PERTURB, SEED, perturbations
from .undersampling import MASK, UNDERSAMPLE, mask_name


def recon(
    scan: Annotated[str, typer.Argument(help="MRD HDF5 file, MRD stream file, or - for a stream on stdin.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="MRD HDF5 file for the images, or - for a stream on stdout.")
    ] = Path("images.h5"),
    chain: Annotated[
        str | None,
        typer.Option(help="Name of a chain, or a TOML file; by default what the stream asks for, else default."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it is there.")] = False,
    undersample: Annotated[float | None, typer.Option(metavar="R", help=UNDERSAMPLE)] = None,
    mask: Annotated[str, typer.Option(help=MASK)] = "uniform",
    perturb: Annotated[list[str] | None, typer.Option(metavar="KIND:FIELD=VALUE,...", help=PERTURB)] = None,
    seed: Annotated[int, typer.Option(help=SEED)] = 0,
    group: Annotated[str, typer.Option(help="Group of the HDF5 file that holds the scan.")] = "dataset",
    chains: Annotated[Path | None, typer.Option(help="Folder with chains of your own.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the engine's log.")] = False,
) -> None:
    """Reconstruct a scan in this process: no server, no socket."""
    from ...engine.logs import configure_logging
    from ...engine.messages import Message, Text
    from ..offline import reconstruct_offline
    from ..scan_file import read_scan
    from ..undersampled_scan import undersampled_scan

    configure_logging(level="info" if verbose else "critical")  # what fails is told once, by main()

    def say(message: Message) -> None:
        if isinstance(message, Text):
            typer.echo(message.text, err=True)

    found = read_scan(scan, group=group)
    if undersample is not None:
        found = undersampled_scan(found, undersample, mask=mask_name(mask))
    if perturb:
        from ..perturbed_scan import perturbed_scan

        found = perturbed_scan(found, perturbations(perturb), seed=seed)
    count = reconstruct_offline(found, chain, output, overwrite=overwrite, chains=chains, on_message=say)
    typer.echo(f"{count} images in {output}", err=True)
