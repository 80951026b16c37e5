"""What methods scored on every slice, in a CSV file, a line as each is done: what a long evaluation has is kept."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..engine.errors import ConfigurationError
from ..models.evaluation.evaluate import Result

_FIELDS = [field.name for field in dataclasses.fields(Result)]


def read_results(file: Path) -> list[Result]:
    """Read what a file has; none if there is no file.

    Raises
    ------
    ConfigurationError
        It holds something else.
    """
    if not file.is_file():
        return []
    adapter = TypeAdapter(Result)
    with file.open(newline="", encoding="utf-8") as opened:
        reader = csv.DictReader(opened)
        if reader.fieldnames != _FIELDS:
            raise ConfigurationError(f"{file} is no table of evaluated slices: move it, or write elsewhere")
        try:
            return [adapter.validate_python({**row, "seconds": row["seconds"] or None}) for row in reader]
        except ValidationError as error:
            raise ConfigurationError(f"{file}, line {reader.line_num}: {error.errors()[0]['msg']}") from None


def append_results(file: Path, results: Iterable[Result]) -> None:
    """Write lines at the end of a file, which is begun if need be."""
    begun = file.is_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        if not begun:
            writer.writerow(_FIELDS)
        writer.writerows([_text(value) for value in dataclasses.astuple(result)] for result in results)


def _text(value: object) -> object:
    return f"{value:.7g}" if isinstance(value, float) else value  # csv writes None as nothing
