"""Checkpoints: all that a training needs to go on as if it had never stopped, in one file without pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from .curves import CurvePoint
from .errors import CheckpointError
from .plan import Plan
from .recipe import Recipe, differences

CHECKPOINT = "checkpoint.safetensors"
"""Name of the file in the folder of a run."""


class TrainingState(BaseModel):
    """What a checkpoint holds beside tensors."""

    model_config = ConfigDict(extra="forbid")

    recipe: Recipe
    version: int = 1
    """Of the model that comes out."""
    start: str = ""
    """Model whose weights it began with; empty: random ones."""
    plan: Plan
    step: int = 0
    """Steps done; the number of the next batch."""
    ended: str = ""
    """Why the training came to its end; empty while it has not."""
    best_psnr: float | None = None
    """Of the validations so far, dB."""
    best_step: int = 0
    loss_sum: float = 0.0
    """Of the steps since the last validation."""
    loss_steps: int = 0
    wall_seconds: float = 0.0
    """Since the training first began, pauses left out."""
    cpu_seconds: float = 0.0
    """Of the process and all its threads, likewise."""
    validation_seconds: float = 0.0
    """Wall time that the last validation took."""
    curve: list[CurvePoint] = []


def save(folder: Path, state: TrainingState, tensors: Mapping[str, Tensor]) -> None:
    """Replace the checkpoint; at any moment there is the old one or the new one, whole.

    Parameters
    ----------
    folder
        Of the run; must exist.
    state, tensors
        Any device and layout; tensors may share memory.
    """
    path, temporary = folder / CHECKPOINT, folder / f".{CHECKPOINT}.new"
    # safetensors takes neither shared memory nor strides; the state is its metadata, so that one rename does it all
    plain = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    save_file(plain, temporary, {"state": json.dumps(state.model_dump())})
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def load(folder: Path, recipe: Recipe) -> tuple[TrainingState, dict[str, Tensor]] | None:
    """Read the checkpoint of a run, or return None where there is none.

    Raises
    ------
    CheckpointError
        It cannot be read, or another recipe wrote it.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    again = "; train anew with --restart, or name another folder with --run"
    try:
        with safe_open(path, "pt") as file:
            state = TrainingState.model_validate(json.loads(file.metadata()["state"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
    except (OSError, SafetensorError, ValidationError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error}{again}") from None
    if changed := differences(state.recipe, recipe):
        raise CheckpointError(
            f"checkpoint {path} is of another recipe (its value, the value now):\n  " + "\n  ".join(changed) + again
        )
    return state, tensors


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under ``prefix.name``."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def unprefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names are ``prefix.name``, by ``name``."""
    return {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}


def optimiser_tensors(optimiser: Optimizer) -> dict[str, Tensor]:
    """Return an optimiser's state as tensors named ``number of the parameter.name``."""
    state = optimiser.state_dict()["state"]
    return {f"{number}.{name}": tensor for number, entry in state.items() for name, tensor in entry.items()}


def restore_optimiser(optimiser: Optimizer, parameters: list[nn.Parameter], tensors: Mapping[str, Tensor]) -> None:
    """Put back what ``optimiser_tensors`` returned, in the layout of each parameter, as the optimiser had made it."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".")
        parameter = parameters[int(number)]
        laid_out = parameter.detach().clone().copy_(tensor) if tensor.shape == parameter.shape else tensor
        state.setdefault(int(number), {})[name] = laid_out
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
