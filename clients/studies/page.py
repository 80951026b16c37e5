"""Pages of docs/studies: generated parts stand between markers, so that a rerun leaves the prose around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...engine.errors import ConfigurationError


def write_parts(page: Path, parts: Mapping[str, str]) -> None:
    """Put generated Markdown into a page, each part in the place of the former one of its name.

    A part stands between the lines ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``. Parts that the page does
    not have yet come at its end; a page that is not there is begun.

    Parameters
    ----------
    page
        Markdown file.
    parts
        Markdown by name.

    Raises
    ------
    ConfigurationError
        The page has one of the two markers of a part, and not the other.
    """
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    for name, part in parts.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
        block = f"{begin}\n{part.strip()}\n{end}"
        if (begin in text) != (end in text):
            raise ConfigurationError(f"{page} has one marker of {name!r}, expected both: {begin} and {end}")
        if begin in text:
            before, _, rest = text.partition(begin)
            text = before + block + rest.partition(end)[2]
        else:
            text = f"{text.rstrip()}\n\n{block}\n".lstrip()
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table: the first column to the left, the others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
