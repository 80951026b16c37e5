"""Reconstructions by name: the classical ones, and every model of a store."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from ..classical.cg_sense import CGSense
from ..classical.grappa import Grappa
from ..classical.total_variation import TotalVariation
from ..classical.wavelet_l1 import WaveletL1
from ..classical.zero_filled import ZeroFilled
from ..defaults import own_name
from ..measurements import Reconstructor
from ..model_card import ModelError
from ..model_store import ModelStore

CLASSICAL: Mapping[str, Callable[[], Reconstructor]] = MappingProxyType(
    {"zero-filled": ZeroFilled, "cg-sense": CGSense, "tv": TotalVariation, "l1-wavelet": WaveletL1, "grappa": Grappa}
)
"""With the settings that they have by default."""


def find_method(name: str, store: ModelStore, device: str = "auto") -> Reconstructor:
    """Return a classical method or load a model.

    Raises
    ------
    ModelError
        There is none of that name (the message lists the known ones), or the model cannot be loaded.
    """
    if name in CLASSICAL:
        return CLASSICAL[name]()
    name = own_name(name)
    known = (*CLASSICAL, *store.names("supervised"))
    if name.partition("@")[0] not in store.names("supervised"):
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise ModelError(f"no method is named {name!r}{hint} Known: {', '.join(known)}")
    return store.load(name, device=device)
