"""Samplers by name, from settings that a chain or a command line holds."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from ..priors.prior import Prior
from .adadiff import AdaDiff
from .annealed_langevin import AnnealedLangevin
from .dds import Dds
from .diffusion_mbir import DiffusionMbir
from .dps import Dps
from .heun import Heun
from .hfs import HighFrequencySpace
from .jalal_langevin import JalalLangevin
from .preconditioned_ula import PreconditionedUla
from .predictor_corrector import PredictorCorrector
from .sampler import Sampler
from .scd import Scd
from .smrd import Smrd
from .volume_dds import VolumeDds

SAMPLERS: Mapping[str, type[Any]] = MappingProxyType(
    {
        "pc": PredictorCorrector,
        "hfs": HighFrequencySpace,
        "ald": JalalLangevin,
        "langevin": AnnealedLangevin,
        "ula": PreconditionedUla,
        "dps": Dps,
        "dds": Dds,
        "heun": Heun,
        "smrd": Smrd,
        "scd": Scd,
        "adadiff": AdaDiff,
    }
)
"""Every sampler that reconstructs a slice, by the name that chains and command lines use."""

VOLUME_SAMPLERS: Mapping[str, type[Any]] = MappingProxyType({"volume-dds": VolumeDds, "mbir": DiffusionMbir})
"""Those that reconstruct a volume as one, and hold its slices together."""

DIFFERENTIATING = frozenset({"dps", "scd", "adadiff"})
"""Those that need a prior which can be differentiated, which runtimes but PyTorch's cannot."""

_ALL: Mapping[str, type[Any]] = {**SAMPLERS, **VOLUME_SAMPLERS}


def build_sampler(name: str, settings: Mapping[str, Any]) -> Sampler:
    """Make a sampler.

    Parameters
    ----------
    name
        One of ``SAMPLERS`` or ``VOLUME_SAMPLERS``.
    settings
        Its fields, plain values as TOML and JSON have them; what is left out is default.

    Raises
    ------
    ValueError
        No such sampler or setting, or a value that the setting does not take; the message names the known ones.
    """
    if name not in _ALL:
        raise ValueError(f"got the sampler {name!r}{_hint(name, _ALL)} Known: {', '.join(_ALL)}")
    kind = _ALL[name]
    hints = get_type_hints(kind, include_extras=True)
    known = {field.name: hints[field.name] for field in dataclasses.fields(kind)}
    for unknown in settings.keys() - known.keys():
        raise ValueError(f"{name}: got the setting {unknown!r}{_hint(unknown, known)} Known: {', '.join(known)}")
    values = {key: _checked(name, key, value, known[key]) for key, value in settings.items()}
    return cast("Sampler", kind(**values))


def levels_within(sampler: Sampler, prior: Prior) -> dict[str, float]:
    """Return the settings that bring a sampler's noise levels into what a prior knows; none if they are there.

    Nor may the last level be lower than that: what a network answers at a level that it was not trained for is
    anyone's guess. A sampler that begins at the noise of the measurements (``Ddim``, ``Tweedie``) has no such settings.
    """
    levels = {name: getattr(sampler, name, None) for name in ("sigma_max", "sigma_min")}
    if levels["sigma_max"] is None:
        return {}
    low, high = prior.sigmas
    return {name: min(max(at, low), high) for name, at in levels.items() if at is not None and not low <= at <= high}


def check_levels(sampler: Sampler, prior: Prior) -> None:
    """Refuse a sampler whose noise levels a prior does not know.

    Raises
    ------
    ValueError
        So it is; the message names both, their levels, and the settings to change.
    """
    if needed := levels_within(sampler, prior):
        name = next((name for name, kind in _ALL.items() if type(sampler) is kind), type(sampler).__name__)
        label = getattr(getattr(prior, "card", None), "label", type(prior).__name__)
        got = " and ".join(f"{setting} = {getattr(sampler, setting):g}" for setting in needed)
        wanted = ", ".join(f"{setting} = {value:g}" for setting, value in needed.items())
        raise ValueError(
            f"the sampler {name} has {got}, but the prior {label} knows noise from {prior.sigmas[0]:g} to "
            f"{prior.sigmas[1]:g} alone: set {wanted}"
        )


def ensemble_label(name: str, sampler: Sampler, samples: int, start: str | None = None) -> str:
    """Return what an ensemble of samples is called: ``dds-20x8``, and each setting that is not the default.

    Parameters
    ----------
    name
        The sampler's, as for ``build_sampler``.
    sampler
        With its settings.
    samples
        How many of one image.
    start
        Name of the method whose image hot starts begin at, if it is not CG-SENSE.
    """
    default = _ALL[name]()
    changed = [
        f"-{field.name}_{getattr(sampler, field.name)}"
        for field in dataclasses.fields(cast("Any", sampler))
        if field.name != "steps" and getattr(sampler, field.name) != getattr(default, field.name)
    ]
    begun = [] if start is None else [f"-from_{start.partition('@')[0]}"]
    return f"{name}-{sampler.steps}x{samples}{''.join((*changed, *begun))}".lower()


def _checked(sampler: str, key: str, value: Any, hint: Any) -> Any:
    try:
        # by JSON, because only there a list may stand for a tuple while "8" may not stand for 8
        return TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        complaint = error.errors()[0]["msg"]
        raise ValueError(f"{sampler}: got {key} = {value!r}, expected: {complaint}") from None


def _hint(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else "."
