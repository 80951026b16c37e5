"""Samplers as a command line writes them: ``dds``, ``dds:eta=1.0,hot=true``."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from ..engine.errors import ConfigurationError

if TYPE_CHECKING:
    from ..models.samplers.sampler import Sampler


def parse_sampler(text: str) -> tuple[str, Sampler]:
    """Read ``NAME`` or ``NAME:KEY=VALUE,...``, values as in a chain.

    Returns
    -------
        Name and sampler.

    Raises
    ------
    ConfigurationError
        It is none, or there is no such sampler or setting.
    """
    from ..models.samplers.build import build_sampler

    name, _, settings = text.partition(":")
    try:
        return name, build_sampler(name, tomllib.loads(f"settings = {{ {settings} }}")["settings"])
    except ValueError as error:  # of TOML, too
        raise ConfigurationError(f"the sampler {text!r}, expected NAME or NAME:KEY=VALUE,...: {error}") from None
