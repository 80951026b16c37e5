"""Classical methods as members of ensembles: by the names that their images carry, with their settings."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter, ValidationError

if TYPE_CHECKING:  # torch starts slowly: names are had without it
    from ..measurements import Reconstructor

Setting = bool | int | float | str
CLASSICAL = ("sense", "cs-tv", "cs-wavelet")
"""What their images are called."""


def classical_method(name: str, settings: Mapping[str, Any]) -> Reconstructor:
    """Make a method.

    Parameters
    ----------
    name
        One of ``CLASSICAL``.
    settings
        Its fields, plain values as TOML and JSON have them; what is left out is default.

    Raises
    ------
    ValueError
        No such setting, or a value that it does not take; the message names the known ones.
    """
    kind = _kind(name)
    known = [field.name for field in dataclasses.fields(cast("Any", kind))]
    for unknown in settings.keys() - set(known):
        close = difflib.get_close_matches(unknown, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise ValueError(f"{name}: got the setting {unknown!r}{hint} Known: {', '.join(known)}")
    try:
        return TypeAdapter(kind).validate_json(json.dumps(dict(settings)), strict=True)
    except ValidationError as error:
        faults = "; ".join(f"{e['loc'][0]} = {e['input']!r}: {e['msg']}" for e in error.errors())
        raise ValueError(f"{name}: {faults}") from None


def settings_of(method: Reconstructor) -> dict[str, Setting]:
    """Return the settings of a method that its errors depend on: all but the seed."""
    return {name: value for name, value in dataclasses.asdict(cast("Any", method)).items() if name != "seed"}


def classical_label(name: str, settings: Mapping[str, Setting]) -> str:
    """Return what a member is called: its name, and each setting that is not the default.

    Parameters
    ----------
    name
        One of ``CLASSICAL``.
    settings
        All, as of ``settings_of``, and what else its images are unlike those of single slices by.
    """
    default = settings_of(classical_method(name, {}))
    changed = [f"-{key}_{value}" for key, value in settings.items() if default.get(key) != value]
    return f"{name}{''.join(changed)}".lower()


def _kind(name: str) -> type[Reconstructor]:
    from ..classical.cg_sense import CGSense
    from ..classical.total_variation import TotalVariation
    from ..classical.wavelet_l1 import WaveletL1

    kinds: tuple[type[Reconstructor], ...] = (CGSense, TotalVariation, WaveletL1)
    return dict(zip(CLASSICAL, kinds, strict=True))[name]
