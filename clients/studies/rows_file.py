"""The rows of a study in a CSV file, kept as they come: what was interrupted goes on where it was."""

from __future__ import annotations

import csv
import dataclasses
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ...engine.errors import ConfigurationError
from ...models.toml_text import toml_text


class RowsFile:
    """Rows of one kind in ``NAME.csv``, beside them in ``NAME.toml`` the settings that they depend on.

    Parameters
    ----------
    file
        The CSV file; it need not exist.
    row
        Dataclass of texts and numbers: a column for each field.
    settings
        What rows depend on, as TOML has it.

    Raises
    ------
    ConfigurationError
        The files hold rows of another study, or of other settings; the message says in what these differ.
    """

    def __init__(self, file: Path, row: type[Any], settings: Mapping[str, Any]) -> None:
        self._file, self._row, self._settings = file, row, settings
        self.rows: list[Any] = []
        self.seconds = 0.0
        """That it took so far, by the clock on the wall, all runs together."""
        if file.is_file():
            self._check_settings()
            self.rows = self._read()

    def add(self, rows: Sequence[Any], seconds: float) -> None:
        """Keep the rows of one unit, all or none of them."""
        self.rows += rows
        self.seconds += seconds
        self._write()

    def arrange(self, order: Callable[[Any], int]) -> None:
        """Put rows in an order, whatever they came in: several processes leave the file that one leaves."""
        self.rows.sort(key=order)
        self._write()

    def _write(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        kept = toml_text({"settings": self._settings, "run": {"seconds": round(self.seconds, 1)}})
        _replace(self._file.with_suffix(".toml"), kept)
        begun = self._file.with_name(f"{self._file.name}.part")
        with begun.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.writer(opened, lineterminator="\n")
            writer.writerow(field.name for field in dataclasses.fields(self._row))
            writer.writerows([_text(value) for value in dataclasses.astuple(kept_row)] for kept_row in self.rows)
        begun.replace(self._file)

    def _check_settings(self) -> None:
        beside = self._file.with_suffix(".toml")
        try:
            kept = tomllib.loads(beside.read_text(encoding="utf-8"))
            before, self.seconds = kept["settings"], float(kept["run"]["seconds"])
        except (OSError, ValueError, KeyError) as error:
            raise ConfigurationError(f"{self._file} has no settings beside it, in {beside}: {error}") from None
        now = tomllib.loads(toml_text({"settings": self._settings}))["settings"]
        changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        if changed:
            told = "; ".join(f"{n} was {before.get(n)!r}, is {now.get(n)!r}" for n in changed)
            raise ConfigurationError(
                f"{self._file} was measured with other settings: {told[:1000]}. Add --again to measure anew in its "
                "place, or --output for another folder"
            )

    def _read(self) -> list[Any]:
        names = [field.name for field in dataclasses.fields(self._row)]
        adapter = TypeAdapter(self._row)
        with self._file.open(newline="", encoding="utf-8") as opened:
            reader = csv.DictReader(opened)
            if reader.fieldnames != names:
                raise ConfigurationError(f"{self._file} is no table of this study: move it, or add --again")
            try:
                return [adapter.validate_python(line) for line in reader]
            except ValidationError as error:
                where = f"{self._file}, line {reader.line_num}"
                raise ConfigurationError(f"{where}: {error.errors()[0]['msg']}") from None


def _text(value: Any) -> str:
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _replace(file: Path, text: str) -> None:
    begun = file.with_name(f"{file.name}.part")
    begun.write_text(text, encoding="utf-8")
    begun.replace(file)
