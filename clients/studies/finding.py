"""What a study measured: figures of labelled runs in one CSV file, so that generations stand beside each other."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ...engine.errors import ConfigurationError


@dataclass(frozen=True)
class Finding:
    """One figure."""

    label: str
    """Of the run: a generation of weights."""
    table: str
    """Which table it stands in, unit included."""
    row: str
    column: str
    """Method, or what was measured of one."""
    value: float


_FIELDS = [field.name for field in dataclasses.fields(Finding)]


def read_findings(file: Path) -> list[Finding]:
    """Read what a file has; none if there is no file.

    Raises
    ------
    ConfigurationError
        It holds something else.
    """
    if not file.is_file():
        return []
    adapter = TypeAdapter(Finding)
    with file.open(newline="", encoding="utf-8") as opened:
        try:
            return [adapter.validate_python(row) for row in csv.DictReader(opened)]
        except ValidationError as error:
            raise ConfigurationError(f"{file} holds no findings: {error.errors()[0]['msg']}") from None


def merged(known: Iterable[Finding], new: Sequence[Finding]) -> list[Finding]:
    """Put new findings in the place of those of the same label, table, row and column; the others are kept."""
    replaced = {dataclasses.replace(f, value=0.0) for f in new}
    return [*(f for f in known if dataclasses.replace(f, value=0.0) not in replaced), *new]


def write_findings(file: Path, findings: Iterable[Finding]) -> None:
    """Write a file, in the place of the former one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(_FIELDS)
        writer.writerows((*dataclasses.astuple(f)[:-1], f"{f.value:.7g}") for f in findings)
