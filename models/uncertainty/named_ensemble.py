"""Ensembles with what a calibration record has to say of them: name and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model_card import ModelCard
from ..model_store import ModelStore
from ..samplers.build import DIFFERENTIATING, build_sampler, ensemble_label
from ..samplers.diffusion_reconstruction import diffusion_ensemble
from .ensemble import Ensemble, supervised_ensemble, supervised_method


@dataclass(frozen=True)
class NamedEnsemble:
    """An ensemble that can be calibrated."""

    method: str
    """As in ``CalibrationRecord.method``."""
    cards: tuple[ModelCard, ...]
    """Of what computes it; the record lies beside the weights of the first."""
    ensemble: Ensemble


def named_ensemble_of_networks(store: ModelStore, names: Sequence[str], *, device: str) -> NamedEnsemble:
    """Return the ensemble of several networks, sorted by name.

    Raises
    ------
    ModelError
        As ``ModelStore.load``.
    ValueError
        There are fewer than two.
    """
    ordered = sorted(set(names))
    cards = tuple(store.card(name) for name in ordered)
    models = [store.load(name, device=device) for name in ordered]
    return NamedEnsemble(supervised_method(ordered), cards, supervised_ensemble(models))


def named_ensemble_of_samples(
    store: ModelStore, prior: str, sampler: str, settings: Mapping[str, Any], samples: int, *, device: str
) -> NamedEnsemble:
    """Return the ensemble of several samples by one prior.

    Raises
    ------
    ModelError
        As ``ModelStore.load_prior``.
    ValueError
        As ``build_sampler``.
    """
    made = build_sampler(sampler, settings)
    loaded = store.load_prior(prior, device=device, runtime="torch" if sampler in DIFFERENTIATING else "onnx")
    ensemble = diffusion_ensemble(loaded, made, samples)
    return NamedEnsemble(ensemble_label(sampler, made, samples), (loaded.card,), ensemble)
