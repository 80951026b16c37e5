"""ONNX Runtime computes a network's blocks; the physics between them stays in torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ..networks.network import Network
from .runtime import Deployment


@dataclass(frozen=True)
class OnnxRuntime:
    """A ``Runtime`` of ONNX Runtime: CUDAExecutionProvider on a GPU, CPUExecutionProvider otherwise."""

    cache: Path | None = None
    """Folder of exported blocks; by default in the user's cache folder."""

    def __call__(
        self, network: Network, *, device: torch.device, weights: str, threads: int | None = None
    ) -> Deployment:
        """Make a network ready to run; see ``Runtime``. The first time on a machine takes seconds per kind of block."""
        from .onnx_block import OnnxBlock  # ONNX takes a second to import
        from .onnx_cache import exported_blocks

        provider = ""
        for path, model in exported_blocks(network, weights, self.cache).items():
            block = OnnxBlock(model, device, threads)
            provider = block.provider
            parent, _, name = path.rpartition(".")
            setattr(network.get_submodule(parent), name, block)
        return Deployment(network, provider)
