"""Plain values as TOML text: the standard library reads TOML and does not write it."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any


def toml_text(values: Mapping[str, Any]) -> str:
    """Return a document that ``tomllib.loads`` reads back as the same values.

    Parameters
    ----------
    values
        Texts, numbers, truth values, dates, lists of them, tables of them, and lists of such tables.

    Raises
    ------
    TypeError
        A value is of another type; TOML has no null.
    """
    lines = [f"{_key(name)} = {toml_value(value)}" for name, value in values.items() if not _is_table(value)]
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{_key(name)}]", *_entries(value)]
        elif _is_table(value):
            for table in value:
                lines += ["", f"[[{_key(name)}]]", *_entries(table)]
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (_is_list(value) and bool(value) and isinstance(value[0], Mapping))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _entries(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(name)} = {toml_value(value)}" for name, value in table.items()]


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else toml_value(name)


def toml_value(value: Any) -> str:
    """Return one value as TOML, a table in braces; raises as ``toml_text``."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(value) if math.isfinite(value) else str(value)
        case dt.date():
            return value.isoformat()
        case Mapping():
            return f"{{ {', '.join(_entries(value))} }}" if value else "{}"
        case _ if _is_list(value):
            return f"[{', '.join(toml_value(element) for element in value)}]"
        case _:
            raise TypeError(f"got {value!r} of type {type(value).__name__}, which TOML cannot hold")
