"""PyTorch, operation by operation or compiled."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch

from ..model_card import ModelError
from ..networks.network import Network
from .runtime import Deployment


@dataclass(frozen=True)
class TorchRuntime:
    """A ``Runtime`` of PyTorch.

    Raises
    ------
    ModelError
        It is to compile and torch.compile cannot, which needs a C++ compiler for a CPU and Triton for a GPU.
    """

    compiled: bool
    """Whether torch.compile compiles the network's blocks, for any batch and size; it takes up to a minute."""

    def __call__(
        self, network: Network, *, device: torch.device, weights: str, threads: int | None = None
    ) -> Deployment:
        """Make a network ready to run; see ``Runtime``."""
        if device.type == "cpu":  # convolutions of few channels take three quarters of the time with channels together
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if not self.compiled:
            return Deployment(network, f"PyTorch {torch.__version__} on {device}")
        for block in network.blocks():
            module = network.get_submodule(block.path)
            size = 2 * block.multiple, 3 * block.multiple  # sizes that differ, or they would be taken for the same
            try:
                with torch.inference_mode(), warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # the compiler's, of its own parts
                    module.compile(dynamic=True)
                    for batch in (1, 2):  # a batch of 1 is compiled apart
                        module(*(torch.zeros(batch, channels, *size, device=device) for channels in block.channels))
            except Exception as error:  # whatever the compiler, or the compiler's compiler, raises
                raise ModelError(
                    f"torch.compile cannot compile {block.path} of {type(network).__name__} on {device}: "
                    f'{str(error)[:500]}; runtime = "torch" needs no compiler'
                ) from error
        return Deployment(network, f"PyTorch {torch.__version__} compiled on {device}")
