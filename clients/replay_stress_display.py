"""How the result of a stress test shows on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from .replay_stress import SeriesChange, StressReport

_COLUMNS = ("series", "images", "change", "amplified", "largest", "SSIM")


def stress_tables(reports: Sequence[StressReport]) -> Iterator[Text | Table]:
    """Yield, for each perturbed run of a file, what was done, how its images changed, and what else was new."""
    for report in reports:
        size = "other readouts" if report.size is None else f"samples changed by {100 * report.size:.3g} %"
        yield Text(f"\n{report.file}: {report.run} against clean, {size}", style="bold")
        yield from (Text(f"  {text}", style="dim") for text in report.perturbations)
        table = Table(*_COLUMNS, box=None)
        for series in report.series:
            table.add_row(*map(Text, _row(series)))
        yield table
        for series in report.series:
            yield from (Text(f"  series {series.series}: {remark}") for remark in _remarks(series))
        yield from (Text(f"  new: {text}") for text in report.warnings)
    if reports:
        yield Text(
            "  change: of the image's norm; amplified: that over the change of the samples; largest: of a pixel, in "
            "99th percentiles of the image",
            style="dim",
        )


def _row(series: SeriesChange) -> tuple[str, ...]:
    return (
        f"{series.series} {series.description}".rstrip(),
        str(series.images),
        "-" if series.change is None else f"{100 * series.change:.3g} %",
        "-" if series.amplification is None else f"{series.amplification:.2f} x",
        "-" if series.largest is None else f"{series.largest:.3f}",
        "-" if series.ssim is None else f"{series.ssim:.4f}",
    )


def _remarks(series: SeriesChange) -> Iterator[str]:
    if series.alone:
        yield f"{series.alone} images came in one of the two runs only"
    if series.unlike:
        yield f"{series.unlike} pairs have other shapes, or pixels that are not finite: not compared"
    if series.flags or series.flags_clean:
        yield f"flags: {_flags(series.flags_clean)} clean, {_flags(series.flags)} here"


def _flags(flags: Mapping[str, int]) -> str:
    return ", ".join(f"{flag} ({count} images)" for flag, count in sorted(flags.items())) or "none"
