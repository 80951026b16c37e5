"""Perturbations as a command line writes them: ``spikes:share=0.01,size=50``, or the JSON that images carry."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from ..engine.errors import ConfigurationError
from ..models.perturbation.base import Specification
from ..models.perturbation.specification import Perturbation, parse

_FIELD = re.compile(r"(?P<name>\w+)\s*=\s*(?P<value>.*)", re.DOTALL)


def parse_perturbation(text: str) -> Perturbation:
    """Read ``KIND:FIELD=VALUE,...``, values in JSON, words without quotes; or one entry of EchotrainPerturbation.

    Raises
    ------
    ConfigurationError
        It is neither; the message lists the kinds, or the fields of the kind.
    """
    if text.lstrip().startswith("{"):
        plain, kind = text, str(_fields_of_json(text).get("kind"))
    else:
        kind, _, listed = text.partition(":")
        plain = json.dumps({**_fields(listed, text), "kind": kind})
    kinds = _kinds()
    if kind not in kinds:
        raise ConfigurationError(f"no perturbation is called {kind!r}; known: {', '.join(sorted(kinds))}")
    try:
        return parse(plain)
    except ValueError as error:
        known = ", ".join(name for name in kinds[kind].model_fields if name != "kind")
        raise ConfigurationError(f"{error}; {kind} has the fields {known}") from None


def _fields_of_json(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError as error:
        raise ConfigurationError(f"the perturbation {text!r} is no JSON: {error}") from None


def _fields(listed: str, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in re.split(r",(?=\s*\w+\s*=)", listed) if listed.strip() else ():
        field = _FIELD.fullmatch(part.strip())
        if field is None:
            raise ConfigurationError(f"the perturbation {text!r}, expected KIND:FIELD=VALUE,...; {part!r} is no field")
        found[field["name"]] = _value(field["value"])
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _kinds() -> Mapping[str, type[Specification]]:
    return {str(kind.model_fields["kind"].default): kind for kind in _members(Perturbation)}


def _members(union: object) -> Iterator[type[Specification]]:
    """Give the classes of a union, of those inside it, too."""
    members = get_args(union)
    if not members:
        assert isinstance(union, type)
        assert issubclass(union, Specification)
        yield union
    for member in members:
        if get_args(member) or (isinstance(member, type) and issubclass(member, Specification)):
            yield from _members(member)
