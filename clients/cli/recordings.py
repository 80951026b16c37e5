"""``echotrain recordings``: what an engine recorded, and doing it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

recordings = typer.Typer(name="recordings", help="List, show, export and replay recordings.", no_args_is_help=True)

Folder = Annotated[
    Path, typer.Option("--record", help="Folder of the recordings.", envvar="ECHOTRAIN_RECORD", show_envvar=True)
]
Name = Annotated[str, typer.Argument(help="Name of the recording, or the beginning of its name or session id.")]


@recordings.command("list")
def list_all(record: Folder) -> None:
    """List the recordings of a folder."""
    from rich.console import Console
    from rich.table import Column, Table

    from ...engine.recordings import list_recordings

    table = Table(
        Column("recording", overflow="fold"), "MiB", "from", "chain", "readouts", "images", "outcome", box=None
    )
    for recording in list_recordings(record):
        about = recording.about
        table.add_row(
            recording.name,
            f"{recording.nbytes / 2**20:.1f}",
            str(about.get("transport", "?")),
            str(about.get("chain", "?")),
            str(about.get("readouts", "?")),
            str(about.get("images", "?")),
            str(about.get("outcome", "?")),
        )
    Console().print(table)


@recordings.command()
def show(name: Name, record: Folder) -> None:
    """Show what a recording holds, and how its session ended."""
    from ...engine.recordings import find_recording, look_through

    recording = find_recording(record, name)
    contents = look_through(recording.path)
    for key, value in recording.about.items():
        typer.echo(f"{key}: {value}")
    typer.echo(f"messages: {contents.messages}\nreadouts on disk: {contents.readouts}")
    typer.echo(f"CLOSE received: {'yes' if contents.closed else 'no'}")
    if contents.cut_bytes:
        typer.echo(f"unfinished at the end: {contents.cut_bytes} bytes, not used")


@recordings.command()
def export(name: Name, output: Annotated[Path, typer.Argument(help="MRD HDF5 file to write.")], record: Folder) -> None:
    """Write a recording as an MRD HDF5 file."""
    from ...engine.recordings import find_recording
    from ..recorded_scan import recorded_scan
    from ..scan_file import write_scan

    scan = recorded_scan(find_recording(record, name))
    write_scan(output, scan.header, scan.messages)
    typer.echo(f"wrote {output}")


@recordings.command("replay")
def replay_one(
    name: Name,
    record: Folder,
    output: Annotated[Path, typer.Option("--output", "-o", help="MRD HDF5 file for the images.")] = Path("images.h5"),
    chain: Annotated[
        str | None, typer.Option(help="Another chain than the recorded one: a name, or a TOML file.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it is there.")] = False,
    chains: Annotated[Path | None, typer.Option(help="Folder with chains of your own.")] = None,
) -> None:
    """Reconstruct a recording again, in this process: what had arrived gives the same images."""
    from ...engine.logs import configure_logging
    from ...engine.recordings import find_recording
    from ..offline import reconstruct_offline
    from ..recorded_scan import recorded_scan

    configure_logging(level="critical")  # what fails is told once, by main()
    scan = recorded_scan(find_recording(record, name))
    count = reconstruct_offline(scan, chain, output, overwrite=overwrite, chains=chains)
    typer.echo(f"{count} images in {output}")
