"""What can compute a network: one interface, several runtimes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from ..networks.network import Network

RuntimeName = Literal["torch", "compiled", "bfloat16", "onnx"]
"""``torch``: PyTorch as it is; ``compiled``: by torch.compile; ``bfloat16``: rounded so; ``onnx``: ONNX Runtime."""


@dataclass(frozen=True)
class Deployment:
    """A network that a runtime has taken over."""

    network: Network
    """The same, but for what the runtime put into it."""
    provider: str
    """What computes the network's real-valued parts, and where, in words: it goes into the log and into images."""


class Runtime(Protocol):
    """Takes a network over."""

    def __call__(
        self, network: Network, *, device: torch.device, weights: str, threads: int | None = None
    ) -> Deployment:
        """Make a network ready to run.

        Parameters
        ----------
        network
            In evaluation mode, on the device; becomes the runtime's own.
        device
            Where measurements will come from, and images will go to.
        weights
            SHA-256 of the weights, by which what is made of them may be kept.
        threads
            Processor threads, for runtimes that have their own; None: as many as torch has.

        Raises
        ------
        ModelError
            The runtime cannot run this network, or not here; there is no fallback to another.
        """
        ...
