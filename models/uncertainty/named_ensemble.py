"""Ensembles with what a calibration record has to say of them: name, weights, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..defaults import own_name
from ..model_card import ModelCard
from ..model_store import ModelStore
from ..runtimes.loaded_model import LoadedModel
from ..samplers.build import DIFFERENTIATING, build_sampler, check_levels, ensemble_label
from ..samplers.diffusion_reconstruction import diffusion_ensemble
from ..samplers.starts import start_of
from .calibration_record import LONGEST_NAME
from .classical_members import CLASSICAL, Setting, classical_label, classical_method, settings_of
from .ensemble import Ensemble, ensemble_method, methods_ensemble


@dataclass(frozen=True)
class NamedEnsemble:
    """An ensemble that can be calibrated."""

    method: str
    """As in ``CalibrationRecord.method``."""
    cards: tuple[ModelCard, ...]
    """Of networks and priors; the record lies beside the weights of the first."""
    settings: Mapping[str, Mapping[str, Setting]]
    """Of classical members, by name."""
    ensemble: Ensemble

    @property
    def weights(self) -> dict[str, str]:
        """SHA-256 of the weights of each network or prior, by its name."""
        return {card.name: card.sha256 for card in self.cards}


def named_ensemble_of_methods(
    store: ModelStore, names: Sequence[str], settings: Mapping[str, Mapping[str, Any]], *, device: str
) -> NamedEnsemble:
    """Return the ensemble of several networks and classical methods.

    Parameters
    ----------
    store
        Where the networks are.
    names
        Of networks and of ``CLASSICAL``, in any order.
    settings
        Of classical members, by name; what is left out is default.

    Raises
    ------
    ModelError
        As ``ModelStore.load``.
    ValueError
        There are fewer than two, no network is among them, settings fit no member (as ``classical_method``), or they
        have too long a name.
    """
    ordered = sorted(set(names))
    if strange := settings.keys() - (set(CLASSICAL) & set(ordered)):
        raise ValueError(f"got settings of {', '.join(sorted(strange))}; expected those of classical members alone")
    classical = {name: classical_method(name, settings.get(name, {})) for name in CLASSICAL if name in ordered}
    cards = tuple(store.card(name) for name in ordered if name not in classical)
    if not cards:
        raise ValueError(f"{' and '.join(ordered)} have no weights for a calibration to lie beside: add a network")
    found = {name: settings_of(method) for name, method in classical.items()}
    labels = (classical_label(name, values) for name, values in found.items())
    method = ensemble_method([*(card.name for card in cards), *labels])
    if len(method) > LONGEST_NAME:
        raise ValueError(f"the ensemble's name, {method}, has {len(method)} letters, expected at most {LONGEST_NAME}")
    methods = [classical[name] if name in classical else store.load(name, device=device) for name in ordered]
    return NamedEnsemble(method, cards, found, methods_ensemble(methods))


def named_ensemble_of_samples(
    store: ModelStore,
    prior: str,
    sampler: str,
    settings: Mapping[str, Any],
    samples: int,
    *,
    start: str | None = None,
    device: str,
) -> NamedEnsemble:
    """Return the ensemble of several samples by one prior.

    Parameters
    ----------
    store
        Where the models are.
    prior, sampler, settings, samples
        What to draw.
    start
        Method or model whose image hot starts begin at, see ``find_method``; None for CG-SENSE.

    Raises
    ------
    ModelError
        As ``ModelStore.load_prior`` and ``find_method``.
    ValueError
        As ``build_sampler`` and ``check_levels``, or there is a start and the sampler begins at no image.
    """
    made = build_sampler(sampler, settings)
    loaded = store.load_prior(prior, device=device, runtime="torch" if sampler in DIFFERENTIATING else "auto")
    check_levels(made, loaded)
    start = None if start is None else own_name(start)
    begin_at = None if start is None else start_of(made, start, store, device=device)
    cards = (loaded.card, *([begin_at.card] if isinstance(begin_at, LoadedModel) else []))
    ensemble = diffusion_ensemble(loaded, made, samples, start=begin_at)
    return NamedEnsemble(ensemble_label(sampler, made, samples, start), cards, {}, ensemble)
