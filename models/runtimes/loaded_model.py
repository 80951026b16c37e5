"""A trained model, ready to reconstruct."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ..measurements import Measurements
from ..model_card import ModelCard
from ..networks.network import Network
from .batching import Batcher, Call
from .bfloat16_runtime import BFloat16Runtime
from .memory import bytes_per_pixel, check_memory
from .onnx_runtime import OnnxRuntime
from .runtime import Runtime, RuntimeName
from .torch_runtime import TorchRuntime

RUNTIMES: Mapping[RuntimeName, Runtime] = MappingProxyType(
    {
        "torch": TorchRuntime(compiled=False),
        "compiled": TorchRuntime(compiled=True),
        "bfloat16": BFloat16Runtime(),
        "onnx": OnnxRuntime(),
    }
)
_BATCH = MappingProxyType({"cuda": 8, "cpu": 1})
"""Slices computed together. On a CPU that saves no time, and one at a time gives the same image to the bit."""
_WAIT_SECONDS = 0.002


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A ``Reconstructor`` that many threads may call at once: what they ask for is computed together."""

    card: ModelCard
    device: torch.device
    """Where measurements are to be, and images will be."""
    runtime: RuntimeName
    provider: str
    """What computes the network's real-valued parts, and where, in words."""
    batcher: Batcher
    pixel_bytes: float
    """Memory that a pixel of a slice takes inside the network, bytes."""

    def submit(self, measurements: Measurements) -> Call:
        """Line up slices; ``batcher.result`` waits for their images.

        Raises
        ------
        MemoryError
            They would not fit into what is free.
        """
        check_memory(measurements, self.pixel_bytes, self.card.label)
        return self.batcher.submit(measurements)

    def __call__(self, measurements: Measurements) -> Tensor:
        """Reconstruct a batch on ``device``: (batch, y, x) complex64, without gradients."""
        return self.batcher.result(self.submit(measurements))


def deploy(
    card: ModelCard, network: Network, *, device: torch.device, runtime: RuntimeName, threads: int | None = None
) -> LoadedModel:
    """Hand a network to a runtime; see ``ModelStore.load``."""
    pixel_bytes = bytes_per_pixel(network)
    deployment = RUNTIMES[runtime](network, device=device, weights=card.sha256, threads=threads)

    @torch.inference_mode()
    def reconstruct(measurements: Measurements, /) -> Tensor:
        image: Tensor = deployment.network(measurements)
        return image

    batcher = Batcher(reconstruct, most=_BATCH[device.type], wait_seconds=_WAIT_SECONDS)
    return LoadedModel(card, device, runtime, deployment.provider, batcher, pixel_bytes)
