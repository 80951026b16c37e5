"""Where the time of a training goes, and how much of it is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SLOW_FIRST = 2  # steps of a process that allocate and compile: no measure of the others
_WEIGHT = 0.05  # of one step in the running mean


class Stopwatch:
    """Wall and processor time, over all processes that a training was resumed in.

    Parameters
    ----------
    wall_seconds, cpu_seconds
        Spent before this process.
    validation_seconds
        That the last validation before took.
    budget
        Wall seconds that the training may take in all; None: no limit.
    clock
        Wall time in seconds.
    """

    def __init__(
        self,
        *,
        wall_seconds: float = 0.0,
        cpu_seconds: float = 0.0,
        validation_seconds: float = 0.0,
        budget: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._wall_origin = clock() - wall_seconds
        self._cpu_origin = time.process_time() - cpu_seconds
        self._budget = budget
        self._steps = 0
        self.spent: dict[str, float] = {}
        """Wall seconds of this process by activity."""
        self.step_seconds: float | None = None
        """Running mean of a training step; None until steps of the usual speed were seen."""
        self.validation_seconds = validation_seconds
        """Wall time of the last validation, with checkpoint and pictures."""

    def wall(self) -> float:
        """Return wall seconds since the training first began."""
        return self._clock() - self._wall_origin

    def cpu(self) -> float:
        """Return processor seconds since the training first began."""
        return time.process_time() - self._cpu_origin

    @contextmanager
    def on(self, activity: str) -> Iterator[None]:
        """Count the time inside to an activity."""
        began = self._clock()
        yield
        self.spent[activity] = self.spent.get(activity, 0.0) + self._clock() - began

    def stepped(self, seconds: float) -> None:
        """Note a training step."""
        self._steps += 1
        number = self._steps - _SLOW_FIRST
        if number > 0:
            mean = self.step_seconds or 0.0
            self.step_seconds = mean + max(1 / number, _WEIGHT) * (seconds - mean)

    def steps_left(self, validate_every: int) -> int | None:
        """Return how many more steps fit the budget with their validations and the last one; None if unlimited."""
        if self._budget is None or self.step_seconds is None:
            return None
        left = self._budget - self.wall() - self.validation_seconds
        return max(0, int(left / (self.step_seconds + self.validation_seconds / validate_every)))

    @property
    def over(self) -> bool:
        """Whether the budget has no room for a step and the last validation."""
        needed = self.validation_seconds + (self.step_seconds or 0.0)
        return self._budget is not None and self.wall() + needed > self._budget
