"""The mean of some samples by a diffusion prior, as a method that is compared with others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..measurements import Measurements
from ..model_store import ModelStore
from ..uncertainty.named_ensemble import named_ensemble_of_samples
from .method import Method, flags_of


def diffusion_method(
    name: str,
    store: ModelStore,
    *,
    prior: str,
    sampler: str,
    settings: Mapping[str, Any],
    samples: int,
    start: str | None = None,
    device: str = "auto",
) -> Method:
    """Return the mean of complex samples, and with it, as ``NAME-sample``, the first of them.

    The noise is the same for every slice and at every call.

    Parameters
    ----------
    name
        Of the mean.
    store, prior, sampler, settings, samples, start, device
        As ``named_ensemble_of_samples`` takes them.

    Raises
    ------
    ModelError, ValueError
        As ``named_ensemble_of_samples``.
    """
    named = named_ensemble_of_samples(store, prior, sampler, settings, samples, start=start, device=device)

    def reconstruct(measurements: Measurements) -> tuple[Tensor, Tensor]:
        images = torch.stack(list(named.ensemble(measurements)))
        return images.mean(dim=0), images[0]

    return Method((name, f"{name}-sample"), reconstruct, named.cards, named.method, flags_of(named.cards, store))
