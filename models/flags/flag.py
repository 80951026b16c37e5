"""One kind of artifact's probability from features: a logistic regression, or thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .kinds import Severity

_Probability = Annotated[float, Field(gt=0, le=1)]


class Flag(BaseModel):
    """The probability is 1 / (1 + exp(-(intercept + sum of weight x feature))), each feature within its bounds.

    Written by hand, a single steep weight is a threshold: with ``intercept = -40`` and ``kspace_spike = 20`` the
    probability is 1/2 where the feature is 2.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    intercept: float
    notice: _Probability
    """From this probability on the flag is a notice ..."""
    warning: _Probability
    """... a warning ..."""
    severe: _Probability
    """... and severe; above 1 is never reached, so 1 means that hardly any case is."""
    highest: Severity = "severe"
    """What the flag is at most: being unlike the training data is no fault of an image."""
    weights: Annotated[dict[str, float], Field(min_length=1)]
    """By name of the feature."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.notice <= self.warning <= self.severe:
            raise ValueError(
                f"notice, warning and severe are {self.notice:g}, {self.warning:g}, {self.severe:g}; expected rising"
            )
        return self

    def probability(self, features: Mapping[str, float]) -> float:
        """Return the probability.

        Raises
        ------
        KeyError
            A feature is missing.
        """
        score = self.intercept + sum(weight * features[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, score))))

    def severity(self, probability: float) -> Severity:
        """Return how bad a probability is, at most ``highest``."""
        levels: tuple[tuple[Severity, float], ...] = (
            ("severe", self.severe),
            ("warning", self.warning),
            ("notice", self.notice),
        )
        found: Severity = next((name for name, least in levels if probability >= least), "none")
        order: tuple[Severity, ...] = ("none", "notice", "warning", "severe")
        return min(found, self.highest, key=order.index)
