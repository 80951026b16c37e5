"""Reconstructions with gradients, by name: what attacks look into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ..classical.cg_sense import CGSense
from ..classical.zero_filled import ZeroFilled
from ..measurements import Measurements, Reconstructor
from ..model_card import ModelError
from ..model_store import ModelStore
from ..networks.network import Network
from ..runtimes.device import find_device
from ..runtimes.memory import bytes_per_pixel, check_memory
from ..samplers.build import build_sampler, check_levels
from ..samplers.diffusion_reconstruction import sample_seeds
from .attacked import Reconstruct
from .few_step_diffusion import FewStepDiffusion

DIFFERENTIABLE: Mapping[str, Callable[[], Reconstructor]] = MappingProxyType(
    {"cg-sense": CGSense, "zero-filled": ZeroFilled}
)
"""Classical methods whose gradients are finite everywhere; total variation and wavelets have kinks at zero, where most
of their coefficients are."""

_USES = 8
"""Of a block in a network, at least: unrolled networks may use one again and again, and gradients need all of it."""


def white_box(
    name: str,
    store: ModelStore,
    *,
    device: str = "auto",
    steps: int = 4,
    samples: int = 2,
    seed: int = 0,
) -> Reconstruct:
    """Return a reconstruction that can be differentiated in k-space.

    Parameters
    ----------
    name
        One of ``DIFFERENTIABLE``, a supervised model, or a prior, which gives few steps of DDS.
    store, device
        Of models, and where they compute.
    steps, samples, seed
        Of a prior's sampler; others do not look at them.

    Raises
    ------
    ModelError
        There is none of that name (the message lists the known ones), or no such device. What is returned raises
        ``MemoryError`` for slices whose gradient would not fit into what is free, by an estimate.
    """
    if name in DIFFERENTIABLE:
        return DIFFERENTIABLE[name]()
    try:
        card = store.card(name)
    except ModelError as error:
        raise ModelError(f"{error}; without a model: {', '.join(DIFFERENTIABLE)}") from error
    if card.kind == "supervised":
        # gradients of a U-Net take three quarters of the time that they take with channels first
        network = store.network(name).to(find_device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        uses = max(len(network.blocks()), _USES)
        return _Network(network, card.label, bytes_per_pixel(network) * uses)
    prior = store.load_prior(name, device=device, runtime="torch")
    sampler = build_sampler("dds", {"steps": steps})
    check_levels(sampler, prior)
    return FewStepDiffusion(prior, sampler, tuple(sample_seeds(seed, (), samples)))


@dataclass(frozen=True)
class _Network:
    """A supervised network that knows how much memory its gradient takes."""

    network: Network
    label: str
    pixel_bytes: float

    def __call__(self, measurements: Measurements) -> Tensor:
        check_memory(measurements, self.pixel_bytes, f"the gradient of {self.label}")
        image: Tensor = self.network(measurements)
        return image
