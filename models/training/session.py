"""One training from recipe to weights: opens what it needs, resumes what is there, writes what comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ..networks.build import build
from ..networks.network import Network
from ..shared_data import read_sources, split_images
from ..simulation.simulated_slices import SimulatedSlices
from . import checkpoint
from .beginning import begin_with
from .checkpoint import TrainingState, unprefixed
from .denoising import denoising, log_normal, log_uniform
from .errors import RecipeError
from .learner import Learner
from .loss import DISTANCES, Objective, supervised
from .plan import Plan
from .recipe import Recipe
from .sure import sure
from .trainer import ALL_STEPS_DONE, TIME_SPENT, Trainer, Watcher
from .validation import Validation, on_device

VALIDATION_SEED = 20_260_101
"""Of the simulated validation scans: the same for every recipe and seed."""
_VALIDATION_BATCH = 4  # slices
_MORE = 1.2  # of the time that it took: a budget that is larger by less is the same one
_REPLANNED = 100  # steps, by when the plan has been fitted to the budget again


def prepare(
    recipe: Recipe,
    run: Path,
    watcher: Watcher,
    *,
    device: torch.device,
    version: int = 1,
    start: Sequence[Path] = (),
    budget: float | None = None,
    restart: bool = False,
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Trainer:
    """Make a trainer, in the state of the checkpoint of its run where there is one.

    A training whose time budget ended it goes on if it is given a larger one, see ``_reopen``.

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
    start
        Folders of models whose weights to begin with, one after the other, see ``begin_with``; read if nothing is
        resumed.
    restart
        Forget the checkpoint.

    Raises
    ------
    RecipeError
        The network or the images that it names do not exist, or the weights to begin with do not fit.
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
    began = " and ".join(begin_with(folder, network, recipe) for folder in start) if found is None else ""
    _fix(network, training.fixed)
    learner = Learner(network, _objective(training.loss), training)
    state, tensors = found or (
        TrainingState(recipe=recipe, version=version, start=began, plan=Plan(last=training.steps)),
        {},
    )
    if tensors:
        learner.restore(tensors)
        if budget is not None and _ended_for_want_of_time(state) and budget > _MORE * state.wall_seconds:
            _reopen(state, budget, version)
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


def _fix(network: Network, prefixes: Sequence[str]) -> None:
    parameters = dict(network.named_parameters())
    parts = ", ".join(dict.fromkeys(name.partition(".")[0] for name in parameters))
    for prefix in prefixes:
        chosen = [parameter for name, parameter in parameters.items() if name.startswith(prefix)]
        if not chosen:
            raise RecipeError(f"training.fixed: got {prefix!r}, and nothing begins so; the network's parts: {parts}")
        for parameter in chosen:
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in parameters.values()):
        raise RecipeError(f"training.fixed: got {list(prefixes)}, which is all of the network; its parts: {parts}")


def _ended_for_want_of_time(state: TrainingState) -> bool:
    return state.ended in {ALL_STEPS_DONE, TIME_SPENT} and state.step < state.recipe.training.steps


def _reopen(state: TrainingState, budget: float, version: int) -> None:
    """Let a training go on with a larger budget: its learning rate rises to half its peak once more, and falls.

    A warm restart (I. Loshchilov and F. Hutter, SGDR, 2017), of half the height: the weights are good ones.
    """
    expected = state.step * (budget - state.wall_seconds) / state.wall_seconds
    last = min(state.recipe.training.steps, state.step + max(_REPLANNED, int(expected)))
    state.plan = Plan(last=last, step=state.step, done=0.5)
    state.ended, state.version = "", version


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
