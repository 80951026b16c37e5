"""The exponential moving average of a network's weights: what is validated and shipped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class ExponentialAverage:
    """Average over about the last 1 / (1 - decay) steps; it reconstructs better than the last weights.

    The n-th update (from 0) uses min(decay, (1 + n) / (10 + n)), so that a short training is not held at its random
    initial weights.

    Parameters
    ----------
    network
        Its parameters are averaged; buffers are not.
    decay
        In [0, 1); 0 follows the network.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network = network
        self.decay = decay
        self.weights: dict[str, Tensor] = {name: p.detach().clone() for name, p in network.named_parameters()}
        """Averaged parameters by name."""

    @torch.no_grad()
    def update(self, number: int) -> None:
        """Take the network's weights in, after step ``number`` (from 0)."""
        decay = min(self.decay, (1 + number) / (10 + number))
        for name, parameter in self._network.named_parameters():
            self.weights[name].lerp_(parameter, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averaged weights into the network for as long as the context lasts."""
        own = {name: p.detach().clone() for name, p in self._network.named_parameters()}
        self._put(self.weights)
        try:
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, weights: dict[str, Tensor]) -> None:
        for name, parameter in self._network.named_parameters():
            parameter.copy_(weights[name])
