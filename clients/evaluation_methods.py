"""The methods that reconstructions are compared by, as a command line names them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from ..engine.chain_config import ChainLibrary
from ..engine.errors import ConfigurationError
from ..engine.registry import Registry, unknown
from ..gadgets.reconstruct_diffusion import ReconstructDiffusion
from ..models.defaults import ALIASES, own_name
from ..models.evaluation.diffusion_method import diffusion_method
from ..models.evaluation.method import Method, named_method
from ..models.evaluation.methods import CLASSICAL
from ..models.model_store import ModelStore
from ..models.samplers.build import SAMPLERS
from .sampler_text import parse_sampler

DIFFUSION = "diffusion"
"""Mean and one of the samples of the shipped chain ``CHAIN``, whatever its prior and its settings are."""
CHAIN = "diffusion-ensemble"


def known_methods(store: ModelStore) -> tuple[str, ...]:
    """Return all names but those of samplers: classical methods, networks that reconstruct, ``DIFFUSION``.

    Networks that were trained for fully sampled scans alone (denoisers) are not among them, but may be asked for.
    """
    networks = [name for name in store.names("supervised") if store.card(name).trained.acceleration[1] > 1]
    return (*CLASSICAL, *networks, DIFFUSION)


def find_methods(names: Sequence[str], store: ModelStore, device: str = "auto") -> list[Method]:
    """Load methods.

    Parameters
    ----------
    names
        Classical methods, models (``NAME`` or ``NAME@VERSION``), ``DIFFUSION``, or samplers with their settings (see
        ``parse_sampler``), which draw as many samples by the same prior.
    store
        Where models are looked up.
    device
        As ``ModelStore.load``.

    Raises
    ------
    ConfigurationError
        There is no such method, sampler or setting, or a name stands twice.
    ModelError
        A model cannot be loaded.
    """
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ConfigurationError(f"methods are named more than once: {', '.join(sorted(repeated))}")
    return [_find(name, store, device) for name in names]


def _find(name: str, store: ModelStore, device: str) -> Method:
    if name == DIFFUSION or name.partition(":")[0] in SAMPLERS:
        return _diffusion(name, store, device)
    known = (*known_methods(store), *SAMPLERS)
    if name not in CLASSICAL and name not in ALIASES and name.partition("@")[0] not in store.names("supervised"):
        raise ConfigurationError(unknown("method", name, known))
    return named_method(name, store, device)


def _diffusion(name: str, store: ModelStore, device: str) -> Method:
    shipped = shipped_ensemble()
    sampler, settings, start = shipped.sampler, dict(shipped.settings), shipped.start_from
    if shipped.steps is not None:
        settings["steps"] = shipped.steps
    if name != DIFFUSION:
        written = parse_sampler(name)
        sampler, settings, start = written.name, dataclasses.asdict(written.sampler), written.start  # type: ignore[call-overload]
    try:
        return diffusion_method(
            name,
            store,
            prior=shipped.prior,
            sampler=sampler,
            settings=settings,
            samples=shipped.samples,
            start=start,
            device=device,
        )
    except ValueError as error:  # of settings and noise levels; ModelError is one
        raise ConfigurationError(f"{name}: {error}") from None


def shipped_ensemble() -> ReconstructDiffusion:
    """Return the gadget that draws samples in the chain ``CHAIN``: it has all the settings."""
    (fields,) = (fields for gadget, fields in ChainLibrary().get(CHAIN).steps if gadget == "reconstruct_diffusion")
    gadget = Registry().make("reconstruct_diffusion", fields)
    assert isinstance(gadget, ReconstructDiffusion)
    return gadget


def shipped_sampler() -> str:
    """Return that gadget's sampler as ``parse_sampler`` takes it."""
    shipped = shipped_ensemble()
    settings: dict[str, object] = {**shipped.settings}
    if shipped.start_from is not None:
        settings["start_from"] = own_name(shipped.start_from)
    return f"{shipped.sampler}:{','.join(f'{name}={json.dumps(value)}' for name, value in settings.items())}"
