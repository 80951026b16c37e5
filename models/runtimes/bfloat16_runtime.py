"""PyTorch in bfloat16: half the bits, and on processors that multiply them twice the speed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..model_card import ModelError
from ..networks.network import Network
from .fastest import multiplies_bfloat16
from .runtime import Deployment


@dataclass(frozen=True)
class BFloat16Runtime:
    """A ``Runtime`` of PyTorch that rounds weights and activations of a network's blocks to 8 bits of mantissa.

    Sums in convolutions stay float32, and so does the physics between blocks. A denoiser's error hardly grows: what it
    predicts is scaled by the noise level, and so is the rounding.

    Raises
    ------
    ModelError
        The processor has no instructions for it, and would be slower.
    """

    def __call__(
        self, network: Network, *, device: torch.device, weights: str, threads: int | None = None
    ) -> Deployment:
        """Make a network ready to run; see ``Runtime``. ``threads`` are torch's."""
        if device.type == "cpu" and not multiplies_bfloat16():
            raise ModelError(
                "bfloat16: this processor has no instructions for it (AVX512_BF16, AMX, or Arm's BF16); "
                'runtime = "onnx" needs none'
            )
        for path in [block.path for block in network.blocks()]:
            parent, _, name = path.rpartition(".")
            setattr(network.get_submodule(parent), name, _Rounded(network.get_submodule(path)))
        return Deployment(network, f"PyTorch {torch.__version__} in bfloat16 on {device}")


class _Rounded(nn.Module):
    """Takes and returns float32 where the block did; channels lie together, as its convolutions have them."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        # torch's own annotations of Module.to leave memory_format out
        self.block: nn.Module = block.to(torch.bfloat16, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, *inputs: Tensor) -> Tensor:
        rounded = (x.to(torch.bfloat16, memory_format=torch.channels_last) for x in inputs)
        result: Tensor = self.block(*rounded)
        return result.float()
