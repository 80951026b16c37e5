"""Measured qualities of samplers in a CSV file, a line as each is measured: what a long run has is kept."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..engine.errors import ConfigurationError
from ..models.evaluation.sampler_quality import Quality, Setting

_SETTING = [field.name for field in dataclasses.fields(Setting)]
_QUALITY = [field.name for field in dataclasses.fields(Quality)]


def read_qualities(file: Path) -> dict[Setting, Quality]:
    """Read what a file has; none if there is no file.

    Raises
    ------
    ConfigurationError
        It holds something else.
    """
    if not file.is_file():
        return {}
    setting, quality = TypeAdapter(Setting), TypeAdapter(Quality)
    with file.open(newline="", encoding="utf-8") as opened:
        reader = csv.DictReader(opened)
        if reader.fieldnames != [*_SETTING, *_QUALITY]:
            raise ConfigurationError(f"{file} is no table of qualities: move it, or write elsewhere")
        try:
            return {
                setting.validate_python({name: row[name] for name in _SETTING}): quality.validate_python(
                    {name: row[name] for name in _QUALITY}
                )
                for row in reader
            }
        except ValidationError as error:
            raise ConfigurationError(f"{file}, line {reader.line_num}: {error.errors()[0]['msg']}") from None


def append_quality(file: Path, setting: Setting, quality: Quality) -> None:
    """Write a line at the end of a file, which is begun if need be."""
    begun = file.is_file()
    with file.open("a", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        if not begun:
            writer.writerow([*_SETTING, *_QUALITY])
        values = [f"{value:.5g}" for value in dataclasses.astuple(quality)]
        writer.writerow([*dataclasses.astuple(setting), *values])
