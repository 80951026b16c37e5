"""``echotrain simulate``: the scanner simulator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..async_client import Protocol
    from ..simulator import SimulatedScan


def simulate(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Scan file: .h5 for MRD HDF5, otherwise an MRD stream; - for stdout."),
    ] = None,
    to: Annotated[str | None, typer.Option(help="Engine to send it to, tcp://HOST:PORT.")] = None,
    over: Annotated[str, typer.Option("--over", help="zmq, or mrd for MRD over TCP.")] = "zmq",
    chain: Annotated[str, typer.Option(help="Chain that the engine is asked for.")] = "default",
    images: Annotated[Path, typer.Option(help="With --to: MRD HDF5 file for the images.")] = Path("images.h5"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    truth: Annotated[
        Path | None, typer.Option(help="HDF5 file for the ground truth; beside the scan by default.")
    ] = None,
    protocol: Annotated[Path | None, typer.Option(help="Scan protocol (TOML) to start from.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE of the scan protocol; --list-settings shows what there is."),
    ] = None,
    phantom: Annotated[str | None, typer.Option(help="brain, shepp_logan or file.")] = None,
    slices: Annotated[int | None, typer.Option(help="Slices, or partitions in 3-D.")] = None,
    coils: Annotated[int | None, typer.Option(help="Receive channels.")] = None,
    acceleration: Annotated[int | None, typer.Option("--acceleration", "-R", help="Acceleration factor R.")] = None,
    trajectory: Annotated[str | None, typer.Option(help="2d, 3d, radial or spiral.")] = None,
    spokes: Annotated[int | None, typer.Option(help="Spokes of a radial slice.")] = None,
    interleaves: Annotated[int | None, typer.Option(help="Arms of a spiral slice.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same scan.")] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="With --to: in the scanner's own time.")] = False,
    speed: Annotated[float, typer.Option(help="With --realtime: so many times faster.")] = 1.0,
    list_settings: Annotated[bool, typer.Option("--list-settings", help="Show the scan protocol and exit.")] = False,
) -> None:
    """Simulate a scan: to a file, to an engine, or both. The ground truth is saved beside it."""
    from ...engine.errors import ConfigurationError
    from ..simulator import simulate as acquire
    from ..simulator_protocol import scan_protocol

    if list_settings:
        _show_settings()
        return
    if output is None and to is None:
        raise ConfigurationError("nothing to do: give --output FILE, --to tcp://HOST:PORT, or both")
    if over not in {"zmq", "mrd"}:
        raise ConfigurationError(f"--over is {over!r}, expected zmq or mrd")
    flags = {
        "phantom": phantom,
        "slices": slices,
        "coils": coils,
        "acceleration": acceleration,
        "trajectory": trajectory,
        "spokes": spokes,
        "interleaves": interleaves,
        "seed": seed,
    }
    values = {**_from_file(protocol), **_from_settings(settings or [])}
    values.update({name: value for name, value in flags.items() if value is not None})
    target = truth or _truth_beside(output if output is not None else images)
    written = [file for file in (output, target, None if to is None else images) if file is not None]
    for file in written:
        if str(file) != "-" and file.exists() and not overwrite:
            raise ConfigurationError(f"{file} is there already; give another name, or --overwrite")
    scan = acquire(scan_protocol(values))
    if output is not None:
        _write(scan, output)
    scan.truth.save(target)
    typer.echo(f"ground truth in {target}", err=True)
    if to is not None:
        _send(scan, to, over, chain, images, speed if realtime else None)


def _write(scan: SimulatedScan, output: Path) -> None:
    from ..scan_file import write_scan

    write_scan(output, scan.header, scan.messages())
    typer.echo(f"{scan.readouts} readouts, {scan.nbytes / 2**20:.1f} MiB in {output}", err=True)


def _truth_beside(path: Path) -> Path:
    return Path("truth.h5") if str(path) == "-" else path.with_name(f"{path.stem}_truth.h5")


def _send(scan: SimulatedScan, to: str, over: str, chain: str, images: Path, speed: float | None) -> None:
    import asyncio

    from ..simulator_stream import stream_scan

    protocol: Protocol = "mrd" if over == "mrd" else "zmq"
    count = asyncio.run(stream_scan(scan, to, protocol, chain, images, speed))
    typer.echo(f"{count} images in {images}", err=True)


def _from_file(file: Path | None) -> dict[str, Any]:
    import tomllib

    from ...engine.errors import ConfigurationError

    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"scan protocol {file} cannot be read: {error}") from None


def _from_settings(settings: list[str]) -> dict[str, Any]:
    """Read NAME=VALUE; a value is a number, a list ... as in TOML, or else a text."""
    import tomllib

    from ...engine.errors import ConfigurationError

    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ConfigurationError(f"--set {setting!r}: expected NAME=VALUE")
        try:
            values[name.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[name.strip()] = text.strip()
    return values


def _show_settings() -> None:
    from rich.console import Console
    from rich.table import Table

    from ..simulator_protocol import ScanProtocol

    table = Table("setting", "default", "meaning", box=None)
    for name, field in ScanProtocol.model_fields.items():
        table.add_row(name, str(field.default), " ".join((field.description or "").split()))
    Console().print(table)
