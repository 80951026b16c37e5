"""``echotrain replay``: put an engine under load with raw data files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .perturbing import PERTURB, SEED, perturbations
from .undersampling import MASK, UNDERSAMPLE, mask_name

if TYPE_CHECKING:
    from ..async_client import Protocol
    from ..replay import ReplayOptions
    from ..replay_report import ReplayReport


def replay(
    files: Annotated[list[Path], typer.Argument(help="MRD HDF5 or MRD stream files; sessions take them in turn.")],
    to: Annotated[str, typer.Option(help="Where the engine listens.")] = "tcp://127.0.0.1:9001",
    protocol: Annotated[str, typer.Option(help="zmq, or mrd for MRD over TCP (any MRD server).")] = "zmq",
    sessions: Annotated[int, typer.Option(help="Sessions at once.")] = 8,
    speed: Annotated[
        str, typer.Option(help="max, or how many times faster than the scanner, by the readouts' time stamps.")
    ] = "max",
    loop: Annotated[int, typer.Option(help="How many times each session is repeated.")] = 1,
    chain: Annotated[
        str | None,
        typer.Option(help="Name of a chain, or a TOML file; by default what the file asks for, else default."),
    ] = None,
    tr_ms: Annotated[
        float | None, typer.Option(help="Pace by this time from readout to readout (ms), not by time stamps.")
    ] = None,
    undersample: Annotated[float | None, typer.Option(metavar="R", help=UNDERSAMPLE)] = None,
    mask: Annotated[str, typer.Option(help=MASK)] = "uniform",
    perturb: Annotated[list[str] | None, typer.Option(metavar="KIND:FIELD=VALUE,...", help=PERTURB)] = None,
    control: Annotated[
        bool, typer.Option("--control", help="With --perturb: replay with white noise of the same norm, too.")
    ] = False,
    seed: Annotated[int, typer.Option(help=SEED)] = 0,
    curve: Annotated[Path | None, typer.Option(help="Client key file, if the engine asks for CURVE keys.")] = None,
    report: Annotated[Path | None, typer.Option(help="JSON file for the report.")] = None,
) -> None:
    """Replay raw data files at an engine, many sessions at once, and compare the images bit by bit.

    With --perturb every session is two, one of the file as it is and one perturbed, and the report says how much the
    images changed: a stress test of any MRD server. Ends with exit code 1 if a session failed or images of one file
    were not the same in every session; how much a perturbation changes them is a result, and no failure.
    """
    import asyncio
    import json

    from rich.console import Console

    from ...engine.curve_keys import load_client
    from ..replay import ReplayOptions
    from ..replay_display import render

    options = ReplayOptions(
        files=tuple(files),
        to=to,
        protocol=_protocol(protocol),
        sessions=sessions,
        speed=_speed(speed),
        loop=loop,
        chain=_chain(chain),
        tr_ms=tr_ms,
        undersample=undersample,
        mask=mask_name(mask),
        perturb=perturbations(perturb),
        control=control,
        seed=seed,
        curve=None if curve is None else load_client(curve),
    )
    if report is not None:
        _check_writable(report)
    result = asyncio.run(_replay(options))
    Console().print(render(result))
    if report is not None:
        report.write_text(json.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
    if result.interrupted:
        raise typer.Exit(130)
    if not result.ok:
        raise typer.Exit(1)


async def _replay(options: ReplayOptions) -> ReplayReport:
    import asyncio
    import signal

    from rich.console import Console

    from ..replay import replay as replay_files
    from ..replay_display import show_progress
    from ..replay_session import Tally

    stop, tally = asyncio.Event(), Tally()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    progress = asyncio.create_task(show_progress(tally, Console(stderr=True)))
    try:
        return await replay_files(options, tally=tally, stop=stop)
    finally:
        progress.cancel()
        await asyncio.gather(progress, return_exceptions=True)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r}, expected max or a number", param_hint="--speed") from None


def _protocol(text: str) -> Protocol:
    if text == "zmq":
        return "zmq"
    if text == "mrd":
        return "mrd"
    raise typer.BadParameter(f"{text!r}, expected zmq or mrd", param_hint="--protocol")


def _chain(text: str | None) -> str | None:
    if text is None or not text.endswith(".toml"):
        return text
    try:
        return Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{text} cannot be read: {error}", param_hint="--chain") from None


def _check_writable(path: Path) -> None:
    """Find out before an hour's replay, not after it."""
    if not path.absolute().parent.is_dir():
        raise typer.BadParameter(f"{path.absolute().parent} is no folder", param_hint="--report")
