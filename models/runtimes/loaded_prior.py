"""A trained prior, ready to denoise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..model_card import ModelCard, ModelError
from ..networks.diffusion_prior import DiffusionPrior
from ..networks.network import Network
from .loaded_model import RUNTIMES
from .memory import bytes_per_pixel
from .runtime import RuntimeName


@dataclass(frozen=True, eq=False)
class LoadedPrior:
    """A ``Prior`` that many threads may call at once; with gradients in x where the runtime is ``torch``."""

    card: ModelCard
    device: torch.device
    """Where images are to be."""
    runtime: RuntimeName
    provider: str
    """What computes the network, and where, in words."""
    network: DiffusionPrior
    """As the runtime took it over."""
    pixel_bytes: float
    """Memory that a pixel of an image takes inside the network, bytes."""

    @property
    def sigmas(self) -> tuple[float, float]:
        """The noise levels, of each part, between which it was trained."""
        return self.network.sigmas

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return E[x0 | x], (batch, y, x) complex64; see ``Prior``.

        An image comes out the same to the bit whatever it is computed together with on the CPU: ONNX Runtime
        keeps that promise by itself, for PyTorch images are computed one by one.
        """
        if self.runtime == "onnx" or self.device.type != "cpu":
            return self.network.denoise(x, sigma)
        sigmas = sigma.expand(len(x))
        return torch.cat([self.network.denoise(x[n : n + 1], sigmas[n : n + 1]) for n in range(len(x))])


def deploy_prior(
    card: ModelCard, network: Network, *, device: torch.device, runtime: RuntimeName, threads: int | None = None
) -> LoadedPrior:
    """Hand a prior to a runtime; see ``ModelStore.load_prior``.

    Raises
    ------
    ModelError
        The network is no prior, or the runtime cannot run it.
    """
    if not isinstance(network, DiffusionPrior):
        raise ModelError(f"{card.label} is {type(network).__name__}, expected a DiffusionPrior")
    pixel_bytes = bytes_per_pixel(network)
    deployment = RUNTIMES[runtime](network, device=device, weights=card.sha256, threads=threads)
    return LoadedPrior(card, device, runtime, deployment.provider, network, pixel_bytes)
