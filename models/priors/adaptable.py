"""Priors whose network can be adapted to a scan."""

from __future__ import annotations

from typing import Protocol

from torch import nn

from .prior import Prior


class AdaptablePrior(Prior, Protocol):
    """A prior that a torch module computes, with gradients.

    Samplers that adapt weights do so on copies: the network itself is shared with other scans, which may be
    reconstructed at the same time.
    """

    @property
    def network(self) -> nn.Module:
        """A module that is a ``Prior`` itself, such as ``networks.diffusion_prior.DiffusionPrior``."""
        ...


def network_of(prior: Prior) -> nn.Module:
    """Return the network of an ``AdaptablePrior``, or the prior itself if it is a module.

    Raises
    ------
    TypeError
        The prior is exact, or runs in another runtime than torch.
    """
    network = getattr(prior, "network", prior)
    if not isinstance(network, nn.Module):
        raise TypeError(
            f"got {type(prior).__name__}, expected a prior that a torch module computes: this sampler adapts the "
            "weights to the scan; load the model with the runtime torch"
        )
    return network
