"""What hot starts begin at, by name."""

from __future__ import annotations

from ..evaluation.methods import find_method
from ..measurements import Reconstructor
from ..model_store import ModelStore
from .sampler import Sampler


def start_of(sampler: Sampler, start: str, store: ModelStore, *, device: str) -> Reconstructor:
    """Return what reconstructs the image that a sampler's hot start begins at.

    Raises
    ------
    ModelError
        As ``find_method``.
    ValueError
        The sampler begins at no image.
    """
    if not getattr(sampler, "hot", False):
        raise ValueError(
            f"got {start!r} to start at, and the sampler begins at noise; set hot to true in its settings, where it "
            "has that"
        )
    return find_method(start, store, device)
