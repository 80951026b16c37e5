"""What can go wrong in a training, told so that whoever started it knows what to do."""

from __future__ import annotations


class TrainingError(Exception):
    """A training that cannot begin or go on; ``str()`` of it is meant for whoever started it."""


class RecipeError(TrainingError):
    """A recipe that cannot be read, or that asks for what does not exist."""


class CheckpointError(TrainingError):
    """A checkpoint that cannot be read, or that another recipe wrote."""


class DivergedError(TrainingError, ArithmeticError):
    """Loss or gradient became infinite or NaN.

    Attributes
    ----------
    step
        Steps done before the one that failed, which is the number of its batch too.
    """

    def __init__(self, step: int, loss: float, norm: float) -> None:
        super().__init__(
            f"step {step + 1} diverged: on batch {step} the loss is {loss:g} and the norm of the gradient {norm:g}; "
            "lower the learning rate, lengthen the warm-up, or clip the gradient more (gradient_clip)"
        )
        self.step = step
