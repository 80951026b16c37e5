"""Rows of numbers that take long to compute, kept in a file as they come: what was interrupted goes on."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class KeptRows:
    """One row for each of many cases, in tables by name.

    A file that cannot be read, or was kept for another computation, is as good as none.

    Parameters
    ----------
    file
        An ``.npz``, without pickled objects; it need not exist. None: nothing is kept.
    key
        Tells everything that rows depend on; rows with another key are not taken up.
    """

    def __init__(self, file: Path | None = None, key: str = "") -> None:
        self._file = file
        self._key = key
        self._tables = {} if file is None else _read(file, key)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return sum(len(table) for table in self._tables.values())

    def table(self, name: str, cases: Iterable[T], row: Callable[[T], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return a row for each case, and compute those that are not there.

        Parameters
        ----------
        name
            Of the table; no other is looked at.
        cases
            At least one, always the same in the same order.
        row
            Computes one: (columns,), always as many.

        Returns
        -------
            (cases, columns)
        """
        rows = self._tables.setdefault(name, [])
        for case in islice(cases, len(rows), None):
            rows.append(row(case))
            self._write()
        return np.stack(rows)

    def forget(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        if self._file is None:
            return
        tables: dict[str, Any] = {name: np.stack(rows) for name, rows in self._tables.items()}
        tables["key"] = np.array(self._key)
        begun = self._file.with_name(f"{self._file.name}.part")
        with begun.open("wb") as file:
            np.savez(file, **tables)
        begun.replace(self._file)


def _read(file: Path, key: str) -> dict[str, list[NDArray[np.float64]]]:
    try:
        with file.open("rb") as content, np.load(content, allow_pickle=False) as kept:
            tables = {name: list(kept[name]) for name in kept.files if name != "key"}
            return tables if str(kept["key"]) == key else {}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return {}
