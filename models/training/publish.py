"""What a training leaves behind: the model's folder."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from .trainer import Trainer


def publish(trainer: Trainer, folder: Path) -> None:
    """Write the weights that validated best."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.cpu().contiguous() for name, tensor in trainer.best.items()}, folder / "weights.safetensors"
    )
