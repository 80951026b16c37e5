"""The page of a study: conditions and their outcome, what was found, tables, the figure, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...models.studies.study import Report
from .page import markdown_table, write_parts


def write_report(page: Path, title: str, report: Report, run: Mapping[str, str], figures: Sequence[Path]) -> None:
    """Write what was found into a page; prose around it stays.

    Parameters
    ----------
    page
        Markdown file; begun with the title if it is not there.
    title
        Of a page that is begun.
    report
        What was found.
    run
        How the numbers came about: command, time, machine, weights, by their names.
    figures
        PNG files, in the folder of the page.
    """
    if not page.is_file():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"# {title}\n", encoding="utf-8")
    write_parts(
        page,
        {
            "run": "\n".join(f"- {name}: {value}" for name, value in run.items()),
            "conditions": _conditions(report),
            "findings": "\n".join(["## As found", "", *(f"- {text}" for text in report.findings)]),
            "figures": "\n\n".join(f"![{title}]({figure.name})" for figure in figures),
            "tables": "\n\n".join(
                f"### {table.title}\n\n{markdown_table(table.header, table.rows)}" for table in report.tables
            ),
            "notes": "\n".join(["## What these numbers are of", "", *(f"- {note}" for note in report.notes)]),
        },
    )


def _conditions(report: Report) -> str:
    if not report.conditions:
        return "## What must hold\n\nNothing: every row is reported as found."
    lines = [f"- **{c.outcome}**: {c.statement}\n  Found: {c.found}." for c in report.conditions]
    told = (
        "Brackets are 95 % bootstrap intervals over slices, paired where two things are compared on the same ones. "
        "Slices of one subject resemble one another: intervals are of such slices, not of subjects."
    )
    return "\n".join(("## What must hold", "", *lines, "", told))
