"""``echotrain train``: from a recipe to the weights of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._threads import limit_threads

if TYPE_CHECKING:
    import torch

    from ...models.training.trainer import Trainer


def _duration(text: str) -> float:
    import re

    matched = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    seconds = sum(int(n or 0) * unit for n, unit in zip(matched.groups(), (3600, 60, 1), strict=True)) if matched else 0
    if not seconds:
        raise typer.BadParameter(f"got {text!r}, expected a duration such as 90s, 20m or 1h30m")
    return float(seconds)


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe (TOML), or the name of one that is shipped.")],
    budget: Annotated[
        float | None,
        typer.Option(
            parser=_duration,
            metavar="TIME",
            help="Wall time in all, as 90s, 20m or 1h30m; the schedule is fitted to it. A larger one goes on.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Another than the recipe's; makes one more model for an ensemble, NAME-seedN."),
    ] = None,
    start: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="Folder of a model whose weights to begin with: like it, or an ADMM-Net or a prior for MoDL. Again "
            "for more.",
        ),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder for checkpoint, curves and pictures; runs/NAME by default.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for weights and card; models/weights/NAME in a checkout."),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget the run's checkpoint; train anew.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; all by default.")] = None,
) -> None:
    """Train a model by a recipe.

    Goes on where the same command was interrupted. The weights that validated best are written at the end, however it
    comes: all steps done, time spent, no more progress, Ctrl-C. A training that a budget ended goes on with a larger
    one, at half the learning rate that it began with.
    """
    import signal
    import threading

    if threads is not None:
        limit_threads(threads)  # before anything below imports numpy
    from ...engine.allocator import keep_freed_memory
    from ...engine.errors import ConfigurationError
    from ...models.training.errors import TrainingError
    from ...models.training.publish import next_version, publish
    from ...models.training.recipe import load_recipe, reseeded
    from ...models.training.session import prepare
    from ..training_display import training_display

    stopped = threading.Event()

    def ask_to_stop(number: int, _: object) -> None:
        stopped.set()
        signal.signal(number, signal.SIG_DFL)  # the second time it ends at once

    keep_freed_memory()
    former = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        wanted = load_recipe(recipe_file(recipe))
        told = wanted.model.name
        if seed is not None:
            wanted, told = reseeded(wanted, seed), f"{told} --seed {seed}"
        name = wanted.model.name
        folder = run or Path("runs") / name
        weights = output or _weights_folder(folder, name)
        version = next_version(weights)
        with training_display() as display:
            trainer = prepare(
                wanted,
                folder,
                display,
                device=_device(device),
                version=version,
                start=start or (),
                budget=budget,
                restart=restart,
                stop=stopped.is_set,
            )
            _announce(trainer, folder, weights)
            if trainer.state.ended and trainer.state.version == version - 1:
                return  # nothing left to do, and the card may have been added to
            try:
                trainer.run()
            finally:  # whatever ended it: what was best so far is worth having
                if trainer.best:
                    publish(trainer, weights, recipe=told)
        _conclude(trainer, folder, weights)
    except TrainingError as error:
        raise ConfigurationError(str(error)) from None
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def recipe_file(recipe: str) -> Path:
    """Return the file of a recipe: itself, or the shipped one of that name."""
    from ... import models
    from ...engine.errors import ConfigurationError
    from ...engine.registry import unknown

    if recipe.endswith(".toml"):
        return Path(recipe)
    shipped = {file.stem: file for file in (Path(models.__file__).parent / "recipes").glob("*.toml")}
    if recipe not in shipped:
        raise ConfigurationError(unknown("recipe", recipe, tuple(sorted(shipped))))
    return shipped[recipe]


def _weights_folder(run: Path, name: str) -> Path:
    from ... import models

    shipped = Path(models.__file__).resolve().parent
    return shipped / "weights" / name if (shipped.parent / "pyproject.toml").is_file() else run / "weights" / name


def _device(name: str) -> torch.device:
    import torch

    from ...engine.errors import ConfigurationError

    gpu = torch.cuda.is_available()
    if name not in {"auto", "cpu", "cuda"} or (name == "cuda" and not gpu):
        raise ConfigurationError(
            f"--device is {name!r}, expected auto, cpu or cuda; there is {'a' if gpu else 'no'} GPU"
        )
    return torch.device("cuda" if gpu and name != "cpu" else "cpu")


def _announce(trainer: Trainer, run: Path, weights: Path) -> None:
    import torch

    state, learner = trainer.state, trainer.learner
    device = torch.cuda.get_device_name(learner.device) if learner.device.type == "cuda" else "CPU"
    parameters = sum(p.numel() for p in learner.network.parameters())
    typer.echo(f"{state.recipe.model.name}: {parameters:,} parameters, {device}, {torch.get_num_threads()} threads")
    typer.echo(f"run in {run}, weights to {weights}; zero-filled {trainer.validation.zero_filled:.2f} dB")
    if state.ended:
        typer.echo(f"ended before at step {state.step}: {state.ended}; --restart trains anew")
    elif not state.step and state.start:
        typer.echo(f"beginning with the weights of {state.start}")
    elif state.step:
        typer.echo(f"resuming at step {state.step}, after {state.wall_seconds:.0f} s")


def _conclude(trainer: Trainer, run: Path, weights: Path) -> None:
    state = trainer.state
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in trainer.stopwatch.spent.items())
    typer.echo(f"{state.ended or 'interrupted'} at step {state.step}, {state.wall_seconds:.0f} s in all ({spent})")
    typer.echo(f"weights of step {state.best_step}, validation {state.best_psnr:.2f} dB, in {weights}; curves in {run}")
    if not state.ended:
        typer.echo("the same command goes on from here")
