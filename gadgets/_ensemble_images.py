"""The images of an ensemble that have come so far."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..engine.errors import DataError
from ..engine.messages import MetaValue
from ..engine.records import Reconstruction
from ..models.uncertainty.classical_members import Setting
from ..models.uncertainty.running_ensemble import Construction, RunningEnsemble

_EACH = ("EchotrainModel", "EchotrainModelHash", "EchotrainModelRuntime", "EchotrainMethodSettings")
"""Metadata that each image may have its own of."""


def classical_settings(image: Reconstruction) -> Mapping[str, Mapping[str, Setting]]:
    """Return the settings of the classical method that made an image, by its name; empty for any other image."""
    settings: dict[str, dict[str, Setting]] = tomllib.loads(str(image.meta.get("EchotrainMethodSettings", "")))
    return settings


class EnsembleImages:
    """Several complex images of one slice or volume, of which only statistics and the first are kept.

    Parameters
    ----------
    wanted
        Names of all that are to come.
    seed
        Chooses which images quantiles are taken of, where they are many.
    """

    def __init__(self, wanted: Sequence[str], seed: int) -> None:
        self.came: list[str] = []
        self.models: dict[str, str] = {}
        """By name, the beginning of its weights' SHA-256."""
        self.settings: dict[str, Mapping[str, Setting]] = {}
        """Of classical methods, by name."""
        self._wanted = wanted
        self._running = RunningEnsemble(torch.Generator().manual_seed(seed))
        self._metas: list[Mapping[str, MetaValue]] = []
        self._history: dict[str, None] = {}
        self._scale = 1.0

    def add(self, name: str, image: Reconstruction) -> None:
        """Take one more.

        Raises
        ------
        DataError
            It has another shape than those before it, or values that are not finite.
        """
        peak = float(np.abs(image.data).max(initial=0))
        where = f"slice {image.key.slice}: {name} of {image.method}"
        if not math.isfinite(peak):
            raise DataError(f"{where} holds values that are not finite")
        if not self.came:
            self.first = image
            self._scale = peak or 1.0  # squares of raw data may leave single precision
        try:
            self._running.add(torch.from_numpy(image.data.astype(np.complex64) / np.float32(self._scale)))
        except ValueError as error:
            raise DataError(f"{where}: {error}") from error
        self.came.append(name)
        labels, hashes = (_values(image.meta, name) for name in ("EchotrainModel", "EchotrainModelHash"))
        self.models.update(zip((label.partition("@")[0] for label in labels), hashes, strict=False))
        self.settings.update(classical_settings(image))
        if image.meta not in self._metas:
            self._metas.append(image.meta)
        self._history.update(dict.fromkeys(image.history))

    @property
    def complete(self) -> bool:
        """Whether all have come."""
        return not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """Those that have not come."""
        return tuple(name for name in self._wanted if name not in self.came)

    @property
    def share(self) -> str:
        """How many have come, of how many."""
        return f"{len(self.came)} of {len(self._wanted)}"

    @property
    def history(self) -> tuple[str, ...]:
        """What was done for any of them, each step once."""
        return tuple(self._history)

    @property
    def meta(self) -> Mapping[str, MetaValue]:
        """Metadata of the first, with what it lacks of the others', and the models of all."""
        beyond = self._distinct("EchotrainOutOfRange")
        each = {name: self._distinct(name) for name in _EACH}
        return {
            **{name: value for meta in reversed(self._metas) for name, value in meta.items()},
            **{name: values[0] if len(values) == 1 else values for name, values in each.items() if values},
            "EchotrainOutOfRange": "; ".join(beyond),
            "EchotrainSamples": self.share,
        }

    @property
    def mean(self) -> NDArray[np.float32]:
        """Magnitude of the mean of the complex images, of their shape."""
        return self._numbers(self._running.images.mean.abs())

    @property
    def deviation(self) -> NDArray[np.float32]:
        """Standard deviation of the magnitudes, of two images or more."""
        return self._numbers(self._running.magnitudes.deviation)

    def width(self, construction: Construction, factor: float, floor: float) -> NDArray[np.float32]:
        """Width of the intervals about the magnitude of the mean, of two images or more.

        Parameters
        ----------
        construction, floor
            As ``RunningEnsemble.intervals`` takes them; the floor may be 0 here.
        factor
            What half-widths are multiplied by.
        """
        least = max(floor / self._scale, float(np.finfo(np.float32).tiny))
        return self._numbers(self._running.intervals(construction, least).width(factor))

    def _numbers(self, image: Tensor) -> NDArray[np.float32]:
        numbers: NDArray[np.float32] = (image * self._scale).numpy()
        return numbers

    def _distinct(self, name: str) -> tuple[str, ...]:
        """Return what the images say under a name, each once."""
        return tuple(dict.fromkeys(value for meta in self._metas for value in _values(meta, name) if value))


def _values(meta: Mapping[str, MetaValue], name: str) -> tuple[str, ...]:
    """Return what is said under a name, where several may be, or nothing."""
    value = meta.get(name, ())
    return (value,) if isinstance(value, str) else value
