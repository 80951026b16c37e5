"""Chains as TOML: reading, checking, building, and the JSON Schema for editors.

::

    title = "What a user reads in a list"

    [[chain]]
    gadget = "noise_adjust"
    policy = "ignore"
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .. import __version__
from .chain import Chain
from .errors import ChainError
from .messages import ConfigName, ConfigText, Parameters
from .registry import Registry, unknown

SHIPPED = Path(__file__).parent.parent / "chains"
"""The chains of deploy/chains, inside the package by a symlink."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""What a chain may be called: no separator, no NUL, nothing that could name another folder."""
_TOP_LEVEL = ("title", "description", "chain")


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """A chain's text, parsed but not built."""

    name: str
    steps: tuple[tuple[str, Mapping[str, Any]], ...]
    """(gadget, fields) in order."""
    title: str = ""
    description: str = ""

    def with_overrides(self, overrides: Mapping[str, Any]) -> ChainSpec:
        """Return the chain with ``"gadget.field"`` values set.

        Raises
        ------
        ChainError
            A key is not ``gadget.field``, or the chain has no such gadget.
        """
        steps = [(gadget, dict(fields)) for gadget, fields in self.steps]
        for key, value in overrides.items():
            gadget, _, field = key.partition(".")
            hits = [fields for name, fields in steps if name == gadget]
            if not field or not hits:
                known = tuple(dict.fromkeys(name for name, _ in steps))
                raise ChainError(f"parameter {key!r}: expected GADGET.FIELD; {unknown('gadget', gadget, known)}")
            for fields in hits:
                fields[field] = value
        return ChainSpec(self.name, tuple((g, MappingProxyType(f)) for g, f in steps), self.title, self.description)

    def build(self, registry: Registry) -> tuple[Chain, str]:
        """Make the chain and its hash.

        The hash is the SHA-256 of the resolved configuration (every field, defaults included), of echotrain's version
        and of the versions of the distributions that third parties' gadgets come from, so that equal hashes mean equal
        processing.

        Raises
        ------
        ChainError
            Unknown gadget or field, a value that does not fit, neighbours that do not fit; the first line says where.
        """
        gadgets = []
        resolved = []
        for number, (gadget, fields) in enumerate(self.steps, start=1):
            try:
                gadgets.append((gadget, registry.make(gadget, fields)))
                resolved.append([gadget, registry.origin(gadget), registry.resolve(gadget, fields)])
            except ChainError as error:
                raise ChainError(f"chain {self.name!r}, step {number}: {error}") from error
        try:
            chain = Chain(gadgets)
        except ChainError as error:
            raise ChainError(f"chain {self.name!r}: {error}") from error
        text = json.dumps([__version__, resolved], sort_keys=True)
        return chain, hashlib.sha256(text.encode()).hexdigest()


def parse_chain(text: str, *, name: str = "text") -> ChainSpec:
    """Read a chain's TOML text.

    Raises
    ------
    ChainError
        The text is no TOML, or has other contents than a list of ``[[chain]]`` tables with a ``gadget`` each.
    """
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        raise ChainError(
            "the configuration text is XML (a Gadgetron configuration?); echotrain takes a chain in TOML: "
            '[[chain]] tables, each with gadget = "NAME" and that gadget\'s fields'
        )
    try:
        data = tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:  # also numbers and nesting beyond what Python takes
        raise ChainError(f"chain {name!r} is not TOML: {error}") from None
    for key in data:
        if key not in _TOP_LEVEL:
            raise ChainError(f"chain {name!r}: {unknown('top-level entry', key, _TOP_LEVEL)}")
    steps = data.get("chain")
    if not isinstance(steps, list) or not steps or not all(isinstance(step, dict) for step in steps):
        raise ChainError(f'chain {name!r} has no [[chain]] table; a chain is a list of [[chain]] with gadget = "NAME"')
    pairs = []
    for number, step in enumerate(steps, start=1):
        gadget = step.pop("gadget", None)
        if not isinstance(gadget, str):
            raise ChainError(f'chain {name!r}, step {number}: gadget is {gadget!r}, expected gadget = "NAME"')
        pairs.append((gadget, MappingProxyType(step)))
    title, description = data.get("title", ""), data.get("description", "")
    if not isinstance(title, str) or not isinstance(description, str):
        raise ChainError(f"chain {name!r}: title and description must be texts")
    return ChainSpec(name, tuple(pairs), title, description)


class ChainLibrary:
    """The chains that clients may ask for by name.

    Parameters
    ----------
    folders
        Searched in order for ``NAME.toml``; the shipped chains come last.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = (*folders, SHIPPED)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        found = {file.stem for folder in self._folders for file in folder.glob("*.toml") if NAME.fullmatch(file.stem)}
        return tuple(sorted(found))

    def get(self, name: str) -> ChainSpec:
        """Return an installed chain.

        Raises
        ------
        ChainError
            The name is no chain's (the message lists the installed ones) or its file cannot be read.
        """
        if name not in self.names:  # also refuses every name with a separator, a NUL or dots that climb
            raise ChainError(unknown("chain", name, self.names))
        for folder in self._folders:
            file = folder / f"{name}.toml"
            if file.is_file():
                return load_chain(file)
        raise ChainError(f"chain {name!r} has gone from {', '.join(map(str, self._folders))}")

    def choose(self, config: ConfigName | ConfigText, parameters: Parameters | None = None) -> ChainSpec:
        """Return the chain that a client's configuration and parameters ask for.

        Raises
        ------
        ChainError
            As ``get``, ``parse_chain`` and ``ChainSpec.with_overrides``.
        """
        if parameters is not None and parameters.config:
            spec = self.get(parameters.config)
        elif isinstance(config, ConfigName):
            spec = self.get(config.name)
        else:
            spec = parse_chain(config.text)
        return spec.with_overrides(parameters.overrides) if parameters is not None else spec


def load_chain(file: Path) -> ChainSpec:
    """Read a chain from a file.

    Raises
    ------
    ChainError
        The file cannot be read or holds no chain.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ChainError(f"chain file {file} cannot be read: {error}") from None
    return parse_chain(text, name=file.stem)


def json_schema(registry: Registry) -> dict[str, Any]:
    """Return the JSON Schema of a chain file: one alternative per known gadget."""
    definitions: dict[str, Any] = {}
    alternatives = []
    for name in registry.names:
        schema = registry.schema(name)
        definitions.update(schema.pop("$defs", {}))
        schema["properties"] = {"gadget": {"const": name}, **schema.get("properties", {})}
        schema["required"] = ["gadget", *schema.get("required", [])]
        definitions[name] = schema
        alternatives.append({"$ref": f"#/$defs/{name}"})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Echotrain chain",
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "description": {"type": "string"},
            "chain": {"type": "array", "minItems": 1, "items": {"oneOf": alternatives}},
        },
        "required": ["chain"],
        "additionalProperties": False,
        "$defs": definitions,
    }
