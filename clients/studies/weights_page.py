"""The tables of docs/studies/weights.md, from what was found: generations of weights side by side."""

from __future__ import annotations

from collections.abc import Sequence

from .finding import Finding
from .page import markdown_table

ARCHITECTURES = "architectures"
_FORMATS = {"parameters": ",.0f"}


def weights_parts(findings: Sequence[Finding]) -> dict[str, str]:
    """Return the generated parts of the page by name.

    A column is a method; a model has one for each label, a classical method, which no training changes, only that of
    its last label. The best of each row is bold, where there are several.
    """
    parts = {}
    for table in dict.fromkeys(f.table for f in findings):
        members = [f for f in findings if f.table == table]
        parts[table] = _by_model(members) if table == ARCHITECTURES else _by_method(members)
    return parts


def _by_method(members: Sequence[Finding]) -> str:
    decibels = members[0].table.endswith("dB")
    labels = {f.column: f.label for f in members if not _is_model(f.column)}  # the last of each
    kept = [f for f in members if labels.get(f.column, f.label) == f.label]
    columns = sorted(dict.fromkeys((f.column, f.label) for f in kept), key=lambda column: _order(column[0]))
    values = {(f.row, f.column, f.label): f.value for f in kept}
    rows = []
    for row in dict.fromkeys(f.row for f in kept):
        line = [values.get((row, *column)) for column in columns]
        known = [value for value in line if value is not None]
        best = max(known) if decibels else min(known)
        rows.append(
            [
                row,
                *(_text(value, ".2f" if decibels else ".3g", bold=len(known) > 1 and value == best) for value in line),
            ]
        )
    header = [f"{name}, {label}" if _is_model(name) else name for name, label in columns]
    return f"{members[0].table}\n\n{markdown_table(['', *header], rows)}"


def _by_model(members: Sequence[Finding]) -> str:
    columns = list(dict.fromkeys(f.column for f in members))
    values = {(f.row, f.label, f.column): f.value for f in members}
    rows = [
        [
            f"{model}, {label}",
            *(_text(values.get((model, label, column)), _FORMATS.get(column, ".2f")) for column in columns),
        ]
        for model, label in dict.fromkeys((f.row, f.label) for f in members)
    ]
    return markdown_table(["", *columns], rows)


def _is_model(method: str) -> bool:
    return "@" in method


def _order(method: str) -> tuple[bool, str]:
    """Classical methods first, as they came; then models by name, so that versions stand side by side."""
    return _is_model(method), method.partition("@")[0] if _is_model(method) else ""


def _text(value: float | None, form: str, *, bold: bool = False) -> str:
    if value is None:
        return ""
    return f"**{value:{form}}**" if bold else f"{value:{form}}"
