"""Reconstructions whose gradients gadgets look into, by name, without torch: a chain is checked before it starts."""

from __future__ import annotations

from typing import NamedTuple

from ..models.defaults import own_name
from ..models.model_card import ModelError
from ..models.model_store import shared_store

WITHOUT_MODEL = ("cg-sense", "zero-filled")
"""Those that need no weights, and take volumes as they are."""


class Surrogate(NamedTuple):
    """What a name stands for."""

    name: str
    """Its own, without version."""
    digest: str
    """First 16 digits of the SHA-256 of its weights, or nothing."""
    is_prior: bool


def known_surrogate(name: str) -> Surrogate:
    """Return what a name stands for.

    Raises
    ------
    ModelError
        Nothing; the message lists what is known.
    """
    if name in WITHOUT_MODEL:
        return Surrogate(name, "", is_prior=False)
    try:
        card = shared_store().card(own_name(name))
    except ModelError as error:
        raise ModelError(f"{error}; without a model: {', '.join(WITHOUT_MODEL)}") from error
    return Surrogate(card.name, card.sha256[:16], card.kind == "prior")
