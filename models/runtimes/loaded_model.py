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
from .runtime import Deployment, Runtime, RuntimeName
from .torch_runtime import TorchRuntime

RUNTIMES: Mapping[RuntimeName, Runtime] = MappingProxyType(
    {"torch": TorchRuntime(compiled=False), "compiled": TorchRuntime(compiled=True)}
)


@dataclass(frozen=True)
class LoadedModel:
    """A ``Reconstructor`` that many threads may call at once."""

    card: ModelCard
    device: torch.device
    runtime: RuntimeName
    deployment: Deployment

    def __call__(self, measurements: Measurements) -> Tensor:
        """Reconstruct a batch on ``device``: (batch, y, x) complex64, without gradients."""
        with torch.inference_mode():
            return self.deployment.reconstruct(measurements)


def deploy(
    card: ModelCard, network: Network, *, device: torch.device, runtime: RuntimeName, threads: int | None = None
) -> LoadedModel:
    """Hand a network to a runtime; see ``ModelStore.load``."""
    deployment = RUNTIMES[runtime](network, device=device, weights=card.sha256, threads=threads)
    return LoadedModel(card, device, runtime, deployment)
