"""What unit tests of more than one room use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from echotrain.models.model_card import ModelCard
from echotrain.models.trained_range import TrainedRange


@pytest.fixture
def model_card() -> Callable[..., ModelCard]:
    """``model_card(name, **fields)``: the card of a model that was never trained, for any scan."""

    def card(name: str, **fields) -> ModelCard:
        untrained = {
            "name": name,
            "version": 1,
            "kind": "supervised",
            "architecture": "none",
            "trained": TrainedRange(
                acceleration=(1, 12), matrix=(8, 256), coils=(1, 32), snr=(1, 100), masks=("uniform",)
            ),
            "data": (),
            "recipe": name,
            "seed": 0,
            "hardware": "none",
            "steps": 0,
            "wall_seconds": 0,
            "cpu_seconds": 0,
            "torch": "2",
            "date": dt.date(2026, 1, 1),
            "limits": "never trained",
        }
        return ModelCard(**{**untrained, **fields})

    return card
