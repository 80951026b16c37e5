"""Ensembles: several reconstructions of the same measurements, whose spread says how far they can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from torch import Tensor

from ..measurements import Measurements, Reconstructor

Ensemble = Callable[[Measurements], Iterator[Tensor]]
"""Reconstructs a batch several times: (batch, y, x) complex64 images in the unit of k-space, one after the other, so
that none needs to be kept."""


def methods_ensemble(methods: Sequence[Reconstructor]) -> Ensemble:
    """Return the ensemble of several reconstructors: one image by each, in their order.

    Their spread is how far methods disagree, not a posterior: errors that all have in common (of their training data,
    say) do not show in it.

    Parameters
    ----------
    methods
        At least two: networks of different kind, one network trained from several seeds, classical ones.

    Raises
    ------
    ValueError
        There are fewer: one has no spread.
    """
    if len(methods) < 2:
        raise ValueError(f"an ensemble of {len(methods)} has no spread, expected at least 2 members")

    def ensemble(measurements: Measurements) -> Iterator[Tensor]:
        for method in methods:
            yield method(measurements)

    return ensemble


def ensemble_method(labels: Iterable[str]) -> str:
    """Return what the ensemble of these members is called: their labels, sorted, ``+`` between them.

    Parameters
    ----------
    labels
        Of networks their names, of classical methods as of ``classical_label``.
    """
    return "+".join(sorted(labels))
