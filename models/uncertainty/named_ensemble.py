"""Ensembles with what a calibration record has to say of them: name, weights, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model_card import ModelCard
from ..model_store import ModelStore
from ..samplers.build import DIFFERENTIATING, build_sampler, check_levels, ensemble_label
from ..samplers.diffusion_reconstruction import diffusion_ensemble
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
    store: ModelStore, prior: str, sampler: str, settings: Mapping[str, Any], samples: int, *, device: str
) -> NamedEnsemble:
    """Return the ensemble of several samples by one prior.

    Raises
    ------
    ModelError
        As ``ModelStore.load_prior``.
    ValueError
        As ``build_sampler`` and ``check_levels``.
    """
    made = build_sampler(sampler, settings)
    loaded = store.load_prior(prior, device=device, runtime="torch" if sampler in DIFFERENTIATING else "onnx")
    check_levels(made, loaded)
    ensemble = diffusion_ensemble(loaded, made, samples)
    return NamedEnsemble(ensemble_label(sampler, made, samples), (loaded.card,), {}, ensemble)
