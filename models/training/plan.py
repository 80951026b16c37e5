"""How many steps a training will have, and the learning rate of each."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

Schedule = Literal["cosine", "constant"]


class Plan(BaseModel):
    """Progress of the schedule, from 0 to 1, linear in steps from the last change of the plan on.

    Where a time budget ends the training, the number of steps follows from how long a step takes; when that changes,
    the plan changes too, and progress goes on from where it was: the learning rate never jumps.
    """

    model_config = ConfigDict(frozen=True)

    last: int
    """Steps in all."""
    step: int = 0
    """Steps done when this plan was made."""
    done: float = 0.0
    """Progress when it was made."""

    def progress(self, step: int) -> float:
        """Return the progress after so many steps, 0 to 1."""
        if step >= self.last:
            return 1.0
        return self.done + (1 - self.done) * (step - self.step) / (self.last - self.step)

    def ending_at(self, last: int, *, step: int) -> Plan:
        """Return the plan that ends after ``last`` steps, changed after ``step``."""
        return self if last == self.last else Plan(last=max(last, step), step=step, done=self.progress(step))


def learning_rate(peak: float, schedule: Schedule, warm_up: int, plan: Plan, step: int) -> float:
    """Return the learning rate of a step (from 0).

    Linear to ``peak`` over the first ``warm_up`` steps, then a half cosine to 0 at the plan's end (I. Loshchilov and
    F. Hutter, SGDR, 2017, eq. 5, one period), or constant.
    """
    ramp = min(1.0, (step + 1) / warm_up) if warm_up else 1.0
    fall = 0.5 * (1 + math.cos(math.pi * plan.progress(step))) if schedule == "cosine" else 1.0
    return peak * ramp * fall
