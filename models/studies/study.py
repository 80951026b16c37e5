"""What every study is: units of work, the rows that they give, and what is reported of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from ..model_store import ModelStore
from .conditions import Condition

Unit = tuple[str | int | float, ...]
"""What is computed at once, usually one slice in one setting: the first fields of its rows."""
Row = TypeVar("Row")


@dataclass(frozen=True)
class Table:
    """Reported rows, as found."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Report:
    """What is said of the rows."""

    conditions: Sequence[Condition]
    """What must hold."""
    findings: Sequence[str]
    """What is reported whatever it is, a sentence each."""
    tables: Sequence[Table]
    notes: Sequence[str]
    """What the numbers are of, and what they are not."""


class Study(Protocol[Row]):
    """A frozen dataclass of plain values and arrays: it is sent to the processes that compute its units."""

    name: ClassVar[str]
    row: ClassVar[type[Any]]
    """A frozen dataclass of texts and numbers; its first fields are those of the unit."""

    def settings(self) -> Mapping[str, Any]:
        """Return everything that rows depend on but the unit, as TOML has it."""
        ...

    def units(self) -> Sequence[Unit]:
        """List the units; each is a function of itself and the settings alone, whatever computes it."""
        ...

    def start(self) -> Callable[[Unit], list[Row]]:
        """Load what computing needs, once a process, and return what computes a unit."""
        ...

    def report(self, rows: Sequence[Row]) -> Report:
        """Judge rows: at least those of one unit."""
        ...

    def draw(self, rows: Sequence[Row], path: Path) -> None:
        """Write the figure of the rows, a PNG."""
        ...


def weights_of(store: ModelStore, *names: str) -> dict[str, str]:
    """Return how the checksums of models begin, by their own names and versions."""
    cards = [store.card(name) for name in names]
    return {card.label: card.sha256[:16] for card in cards}
