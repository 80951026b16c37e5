"""Blocks of networks as ONNX files, made once and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import onnx
import torch

from ..model_card import ModelError
from ..networks.network import Network
from .onnx_export import export_blocks

_FORMAT = "1"
"""Changes with what ``onnx_export`` writes."""


def cache_folder() -> Path:
    """Return where exported blocks are kept: ``$XDG_CACHE_HOME/echotrain/onnx``, by default below ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "echotrain" / "onnx"


def exported_blocks(network: Network, weights: str, folder: Path | None = None) -> dict[str, bytes]:
    """Return each block of a network as an ONNX model, from the cache if it is there.

    Parameters
    ----------
    network
        In evaluation mode.
    weights
        SHA-256 of its weights. With the versions of torch and ONNX it names the entry in the cache.
    folder
        The cache; ``cache_folder`` by default.

    Returns
    -------
    dict
        Path of the block in the network -> ONNX model.

    Raises
    ------
    ModelError
        A block cannot be exported, or the cache cannot be written.
    """
    made_of = (weights, _FORMAT, torch.__version__, onnx.__version__)
    entry = (folder or cache_folder()) / hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:32]
    paths = [block.path for block in network.blocks()]
    if all((entry / f"{path}.onnx").is_file() for path in paths):
        return {path: (entry / f"{path}.onnx").read_bytes() for path in paths}
    models = export_blocks(network)
    try:
        write_blocks(models, entry)
    except OSError as error:
        raise ModelError(
            f"ONNX models cannot be kept in {entry}: {error}; let XDG_CACHE_HOME name a folder that can be written"
        ) from None
    return models


def write_blocks(models: dict[str, bytes], folder: Path) -> None:
    """Write ``PATH.onnx`` for each block; a file is there whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, model in models.items():
        begun = folder / f"{path}.{os.getpid()}.part"
        begun.write_bytes(model)
        begun.replace(folder / f"{path}.onnx")
