"""The models that stand for all others: chains name them by what they are for, the tables in docs/ say why these."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DEFAULT_SUPERVISED = "modl"
"""The best supervised network on real scans and on simulated ones; quality and speed stand in docs/benchmarks.md."""
DEFAULT_PRIOR = "brain-edm"
"""The best diffusion prior."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {"default-supervised": DEFAULT_SUPERVISED, "default-prior": DEFAULT_PRIOR}
)
"""Names that a model store takes for those of the shipped models. Images carry the model's own name and version."""


def own_name(name: str) -> str:
    """Return the model's own name of ``default-supervised`` and ``default-prior``, and any other name as it is."""
    return ALIASES.get(name, name)
