"""A method that is compared with others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..flags.flag_model import FlagModel, known_flags
from ..measurements import Measurements
from ..model_card import ModelCard
from ..model_store import ModelStore
from ..runtimes.loaded_model import LoadedModel
from .methods import find_method


@dataclass(frozen=True)
class Method:
    """What reconstructs, what its images are called, and everything that they depend on besides the scan."""

    names: tuple[str, ...]
    """Of its images. The first is the one that its time is spent for; the others come with it."""
    reconstruct: Callable[[Measurements], Sequence[Tensor]]
    """Returns an image for each name: (batch, y, x) complex64."""
    cards: tuple[ModelCard, ...] = ()
    """Of the models in it."""
    settings: str = ""
    """In words."""
    flags: tuple[FlagModel, ...] = ()
    """Of those models that have some."""

    @property
    def made_by(self) -> str:
        """Settings and weights: methods alike in this, and in their names, give the same images of the same scan."""
        weights = (f"{card.label} ({card.sha256[:8]})" for card in self.cards)
        return ", ".join(part for part in (self.settings, *weights) if part)

    @property
    def judged_by(self) -> str:
        """The flags: scans that they find unlike the training's are out of range."""
        return ", ".join(dict.fromkeys(flags.label for flags in self.flags))


def flags_of(cards: Sequence[ModelCard], store: ModelStore) -> tuple[FlagModel, ...]:
    """Return the flags of those models that have some."""
    found = (known_flags(store.folder(card.name), card.sha256) for card in cards)
    return tuple(flags for flags in found if flags is not None)


def named_method(name: str, store: ModelStore, device: str = "auto") -> Method:
    """Return a classical method or a model; arguments and errors as ``find_method``."""
    found = find_method(name, store, device)

    def reconstruct(measurements: Measurements) -> tuple[Tensor]:
        return (found(measurements),)

    if isinstance(found, LoadedModel):
        return Method((name,), reconstruct, cards=(found.card,), flags=flags_of((found.card,), store))
    return Method((name,), reconstruct, settings=repr(found))
