"""What the commands of all studies do alike: slices, resuming, computing, and writing what was found."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...engine.errors import ConfigurationError

if TYPE_CHECKING:
    from ...models.studies.slices import RealScans, Slices
    from ...models.studies.study import Study

PAGES = Path("docs/studies")

Quick = Annotated[bool, typer.Option("--quick", help="Few slices, small: minutes on two cores. NAME-quick.*")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for NAME.csv, .toml, .png and .md.")]
Processes = Annotated[int, typer.Option(min=1, help="Processes that compute, each with its share of the threads.")]
Scans = Annotated[
    list[Path] | None, typer.Option("--scan", help="Fully sampled scan of your own (MRD); again for more.")
]
Again = Annotated[bool, typer.Option("--again", help="Measure anew, in the place of what is there.")]
Weights = Annotated[Path | None, typer.Option(help="Folder of models of your own, NAME/card.toml.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")]
Seed = Annotated[int, typer.Option(min=0, max=255, help="Of everything that is random.")]
Count = Annotated[int | None, typer.Option("--slices", min=1, help="Simulated slices, evenly spread.")]
Matrix = Annotated[int | None, typer.Option(min=32, help="Pixels a side of simulated slices.")]


def folders(weights: Path | None) -> tuple[Path, ...]:
    """Return where models are looked for."""
    from ...models.model_store import SHIPPED

    return (*([weights] if weights is not None else []), SHIPPED)


def slices_of(scans: Sequence[Path] | None, *, count: int, matrix: int, seed: int) -> Slices:
    """Return the slices of scans that somebody brings, or else simulated ones.

    Raises
    ------
    ConfigurationError
        A scan cannot be read or is not fully sampled, or the shared images are missing.
    """
    from ...models.shared_data import read_images
    from ...models.studies.slices import SimulatedScans, spread_slices
    from ..evaluation_cases import IMAGES

    if scans:
        return real_scans(scans)
    images = spread_slices(read_images(IMAGES), count, matrix)
    return SimulatedScans(f"{len(images)} slices of {IMAGES}, simulated, {matrix} x {matrix}", images, seed)


def real_scans(scans: Sequence[Path]) -> RealScans:
    """Return the slices of scans that somebody brings; raises as ``slices_of``."""
    from ...models.studies.slices import RealScans
    from ..fully_sampled import fully_sampled_kspace

    label = f"real scans, undersampled afterwards: {', '.join(scan.stem for scan in scans)}"
    return RealScans(label, [fully_sampled_kspace(scan) for scan in scans])


@contextmanager
def refusals() -> Iterator[None]:
    """Tell what went wrong in one line."""
    from ...models.model_card import ModelError

    try:
        yield
    except (ModelError, OSError, ValueError) as error:
        raise ConfigurationError(str(error)) from None


def carry_out(
    study: Study[Any], title: str, folder: Path, *, device: str, quick: bool, processes: int, again: bool
) -> None:
    """Compute what is not there yet, and write rows, figure and report.

    Parameters
    ----------
    study
        What to compute.
    title
        Of its page.
    folder
        For the files.
    device
        What the study computes on.
    quick
        Whether files are called NAME-quick.
    processes
        At least 1.
    again
        Whether rows that are there are thrown away.
    """
    from ...models.runtimes.device import find_device
    from ...models.training.publish import hardware
    from .report_page import write_report
    from .rows_file import RowsFile
    from .run_study import run_study

    file = folder / f"{study.name}{'-quick' if quick else ''}.csv"
    if again:
        file.unlink(missing_ok=True)
    kept = RowsFile(file, study.row, study.settings())
    if kept.rows:
        typer.echo(f"{file} has {len(kept.rows)} rows: going on")
    run_study(study, kept, processes=processes)
    picture, page = file.with_suffix(".png"), file.with_suffix(".md")
    study.draw(kept.rows, picture)
    report = study.report(kept.rows)
    run = {
        "Command": f"`echotrain {' '.join(sys.argv[1:])}`",
        "Machine": f"{hardware(find_device(device))}, shared by {processes} process(es)",
        "Time": f"{kept.seconds / 60:.1f} minutes, interrupted runs included",
        "Rows": f"[{file.name}]({file.name}), settings and weights in [{file.stem}.toml]({file.stem}.toml)",
    }
    write_report(page, f"{title}{' (quick)' if quick else ''}", report, run, [picture])
    for condition in report.conditions:
        typer.echo(f"{condition.outcome}: {condition.statement.rstrip('.')}; found: {condition.found}")
    typer.echo("\n".join(map(str, (file, picture, page))))
