"""Priors whose network can be adapted to a scan."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, cast

from torch import nn

from .prior import Prior


class AdaptablePrior(Prior, Protocol):
    """A prior that a torch module computes with gradients.

    The module is a prior itself (``networks.diffusion_prior.DiffusionPrior``), or a frozen dataclass says how it is one
    (``parametrisations.VarianceExploding``). Samplers adapt copies: the network is shared with other scans, which may
    be reconstructed at the same time.
    """

    @property
    def network(self) -> nn.Module:
        """The module."""
        ...


def network_of(prior: Prior) -> nn.Module:
    """Return the network of a prior that can be adapted: its ``network``, or itself if it is a module.

    Raises
    ------
    TypeError
        It has none with weights: it is exact, or runs in another runtime than torch.
    """
    network = prior if isinstance(prior, nn.Module) else getattr(prior, "network", None)
    if not isinstance(network, nn.Module) or next(network.parameters(), None) is None:
        raise TypeError(
            f"got {type(prior).__name__}, expected a prior that a torch module with weights computes: this sampler "
            "adapts them to the scan. Of a trained model, the runtime torch has one"
        )
    return network


def with_network(prior: Prior, network: nn.Module) -> Prior:
    """Return the same prior by another network of the same kind, in the grad mode of whoever calls it."""
    if hasattr(network, "denoise"):
        return cast("Prior", network)
    return cast("Prior", dataclasses.replace(cast("Any", prior), network=network))
