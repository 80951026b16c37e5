"""One training from recipe to weights: opens what it needs, resumes what is there, writes what comes out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from ..networks.build import build
from ..shared_data import read_sources, split_images
from ..simulation.simulated_slices import SimulatedSlices
from . import checkpoint
from .checkpoint import TrainingState, unprefixed
from .denoising import denoising, log_normal, log_uniform
from .errors import RecipeError
from .learner import Learner
from .loss import DISTANCES, Objective, supervised
from .plan import Plan
from .recipe import Recipe
from .sure import sure
from .trainer import Trainer, Watcher
from .validation import Validation, on_device

VALIDATION_SEED = 20_260_101
"""Of the simulated validation scans: the same for every recipe and seed."""
_VALIDATION_BATCH = 4  # slices


def prepare(
    recipe: Recipe,
    run: Path,
    watcher: Watcher,
    *,
    device: torch.device,
    version: int = 1,
    budget: float | None = None,
    restart: bool = False,
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Trainer:
    """Make a trainer, in the state of the checkpoint of its run where there is one.

    Parameters
    ----------
    recipe
        What to train.
    run
        Folder of the run; made.
    watcher, budget, stop, clock
        See ``Trainer``.
    device
        Where the network learns.
    version
        Of the model, if its training is not resumed.
    restart
        Forget the checkpoint.

    Raises
    ------
    RecipeError
        The network or the images that it names do not exist.
    CheckpointError
        The checkpoint cannot be read, or is of another recipe.
    """
    training = recipe.training
    run.mkdir(parents=True, exist_ok=True)
    found = None if restart else checkpoint.load(run, recipe)
    torch.manual_seed(training.seed)
    try:
        network = build(recipe.model.architecture, recipe.model.options).to(device)
        read_sources(recipe.data.images)  # the card will name them: what is missing is to be told now
        images, others = split_images(recipe.data.images, recipe.data.validation)
        batches = SimulatedSlices(images, recipe.acquisition, training.seed)
        fixed = SimulatedSlices(others, recipe.acquisition, VALIDATION_SEED)
    except (ValueError, KeyError, OSError) as error:
        raise RecipeError(f"recipe {recipe.model.name}: {error}") from None
    cases = [on_device(fixed.batch(n, _VALIDATION_BATCH), device) for n in range(training.validation_batches)]
    learner = Learner(network, _objective(training.loss), training)
    state, tensors = found or (TrainingState(recipe=recipe, version=version, plan=Plan(last=training.steps)), {})
    if tensors:
        learner.restore(tensors)
    else:
        for picture in run.glob("validation-*.png"):  # of a training before
            picture.unlink()
    return Trainer(
        learner=learner,
        batches=batches,
        validation=Validation(cases),
        folder=run,
        watcher=watcher,
        state=state,
        best=unprefixed("best", tensors),
        budget=budget,
        stop=stop,
        clock=clock,
    )


def _objective(name: str) -> Objective:
    match name:
        case "sure":
            return sure
        case "denoising":
            return denoising(log_normal)
        case "denoising_ve":
            return denoising(log_uniform)
        case _:
            return supervised(DISTANCES[name])
