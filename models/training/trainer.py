"""The training loop: batches in, averaged weights out; it stops anywhere and goes on as if it had not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from torch import Tensor

from ..simulation.simulated_slices import TrainingBatch
from . import checkpoint
from .checkpoint import TrainingState, prefixed
from .curves import CurvePoint, draw_png, write_csv
from .learner import Learner
from .plan import learning_rate
from .prefetch import Prefetch
from .stopwatch import Stopwatch
from .validation import Batches, Validation, on_device

_REPLAN_EVERY = 16  # steps
ALL_STEPS_DONE, TIME_SPENT = "all steps done", "the time budget is spent"
"""Why trainings end that did not end by themselves; fewer steps than the recipe's are for want of time too."""


class Step(NamedTuple):
    """A step, for display."""

    number: int
    """Steps done."""
    last: int
    """Steps planned."""
    loss: float
    learning_rate: float
    seconds_left: float | None


class Watcher(Protocol):
    """Who is told how a training goes."""

    def stepped(self, step: Step) -> None:
        """Take each step."""

    def validated(self, point: CurvePoint, last: int) -> None:
        """Take each validation, and the number of steps planned."""


@dataclass(kw_only=True)
class Trainer:
    """Trains one network. Deterministic on a CPU for a given number of threads, unless a time budget shapes it."""

    learner: Learner
    """What learns; put into the state of the checkpoint already."""
    batches: Batches
    """To train on."""
    validation: Validation
    """The fixed cases."""
    folder: Path
    """Of the run: checkpoint, curves and pictures go there; must exist."""
    watcher: Watcher
    """Is told what happens."""
    state: TrainingState
    """New, or of a checkpoint."""
    best: dict[str, Tensor] = field(default_factory=dict)
    """The network's state with the averaged weights that validated best; of a checkpoint, or empty."""
    budget: float | None = None
    """Wall seconds in all, pauses left out, to which the schedule is fitted; None: all steps of the recipe."""
    stop: Callable[[], bool] = lambda: False
    """Asked after each step; True ends the training, with a checkpoint."""
    clock: Callable[[], float] = time.monotonic
    """Wall time, seconds."""

    def run(self) -> None:
        """Train to the end, or until time is over, or until asked to stop.

        ``best`` holds weights afterwards whatever happened, and ``state.ended`` says why it ended, if it did.

        Raises
        ------
        DivergedError
            Loss or gradient became infinite or NaN; the checkpoint is that of the last validation.
        """
        state, training = self.state, self.state.recipe.training
        self.stopwatch = Stopwatch(
            wall_seconds=state.wall_seconds,
            cpu_seconds=state.cpu_seconds,
            validation_seconds=state.validation_seconds,
            budget=self.budget,
            clock=self.clock,
        )
        if not self.best:
            self._validate()
        with Prefetch(lambda number: self.batches.batch(number, training.batch), state.step) as prefetch:
            while not state.ended and not self.stop():
                if state.step >= state.plan.last:
                    state.ended = ALL_STEPS_DONE
                elif self.stopwatch.over:
                    state.ended = TIME_SPENT
                else:
                    self._step(prefetch)
                due = state.ended or state.step % training.validate_every == 0
                if due and state.curve[-1].step != state.step:
                    self._validate()
        self._save()
        draw_png(self.folder / "curves.png", state.curve, self.validation.zero_filled)

    def _step(self, prefetch: Prefetch[TrainingBatch]) -> None:
        state, training, watch = self.state, self.state.recipe.training, self.stopwatch
        began = self.clock()
        with watch.on("waiting for data"):
            batch = on_device(prefetch.take(), self.learner.device)
        rate = learning_rate(training.learning_rate, training.schedule, training.warm_up, state.plan, state.step)
        with watch.on("steps"):
            loss = self.learner.step(state.step, batch, rate)
        state.step += 1
        state.loss_sum += loss
        state.loss_steps += 1
        watch.stepped(self.clock() - began)
        left = watch.steps_left(training.validate_every)
        if left is not None and state.step % _REPLAN_EVERY == 0:
            state.plan = state.plan.ending_at(min(training.steps, state.step + left), step=state.step)
        self.watcher.stepped(Step(state.step, state.plan.last, loss, rate, self._seconds_left()))

    def _seconds_left(self) -> float | None:
        if self.stopwatch.step_seconds is None:
            return None
        return (self.state.plan.last - self.state.step) * self.stopwatch.step_seconds

    def _validate(self) -> None:
        state, training, watch = self.state, self.state.recipe.training, self.stopwatch
        began = self.clock()
        with watch.on("validation"):
            network = self.learner.network.eval()
            with self.learner.average.in_place():
                psnr = self.validation(network, self.folder / f"validation-{state.step:06d}.png")
            network.train()
            if state.best_psnr is None or psnr > state.best_psnr:
                state.best_psnr, state.best_step = psnr, state.step
                self.best = self.learner.averaged()
            elif training.patience and state.step - state.best_step >= training.patience * training.validate_every:
                state.ended = state.ended or f"no better validation since step {state.best_step}"
            point = CurvePoint(
                step=state.step,
                seconds=watch.wall(),
                learning_rate=learning_rate(
                    training.learning_rate, training.schedule, training.warm_up, state.plan, state.step
                ),
                loss=state.loss_sum / state.loss_steps if state.loss_steps else None,
                psnr=psnr,
            )
            state.curve.append(point)
            state.loss_sum, state.loss_steps = 0.0, 0
            self._save()
        watch.validation_seconds = state.validation_seconds = self.clock() - began
        self.watcher.validated(point, state.plan.last)

    def _save(self) -> None:
        self.state.wall_seconds, self.state.cpu_seconds = self.stopwatch.wall(), self.stopwatch.cpu()
        checkpoint.save(self.folder, self.state, {**self.learner.tensors(), **prefixed("best", self.best)})
        write_csv(self.folder / "curves.csv", self.state.curve)
