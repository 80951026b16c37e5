"""Samplers as a command line writes them: ``dds``, ``dds:eta=1.0,hot=true,start_from=modl``."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, NamedTuple

from ..engine.errors import ConfigurationError

if TYPE_CHECKING:
    from ..models.samplers.sampler import Sampler

_START = re.compile(r",?\s*\bstart_from\s*=\s*\"?(?P<name>[\w.@-]+)\"?")


class SamplerText(NamedTuple):
    """What was written."""

    name: str
    sampler: Sampler
    start: str | None
    """Method or model that a hot start begins at; None for CG-SENSE."""


def parse_sampler(text: str) -> SamplerText:
    """Read ``NAME`` or ``NAME:KEY=VALUE,...``, values as in a chain; quotes of ``start_from`` may be left out.

    Raises
    ------
    ConfigurationError
        It is none, or there is no such sampler or setting.
    """
    from ..models.samplers.build import build_sampler

    name, _, listed = text.partition(":")
    start = _START.search(listed)
    try:
        settings = tomllib.loads(f"settings = {{ {_START.sub('', listed).strip(',')} }}")["settings"]
        return SamplerText(name, build_sampler(name, settings), None if start is None else start["name"])
    except ValueError as error:  # of TOML, too
        raise ConfigurationError(f"the sampler {text!r}, expected NAME or NAME:KEY=VALUE,...: {error}") from None
