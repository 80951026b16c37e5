"""Model-based deep learning: a denoiser and conjugate gradients in turn."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ..measurements import Measurements
from .network import Block, Network, as_channels, as_complex, image_scale, padded
from .residual_denoiser import ResidualDenoiser
from .tikhonov import nearest_consistent


class MoDL(Network):
    """MoDL: H. K. Aggarwal et al., IEEE Trans. Med. Imaging 38, 394 (2019), equations 8 and 9.

    From x = A^H y, in each unroll::

        z <- D(x)
        x <- (A^H A + lambda)^-1 (A^H y + lambda z)

    D is a residual U-Net (the paper has five plain layers), lambda is learnt and positive. Untrained, D is the
    identity and x nears the least squares image from unroll to unroll.

    Parameters
    ----------
    unrolls
        Number of unrolls; 10 in the paper.
    iterations
        Of conjugate gradients in each unroll.
    channels, pools
        Of the denoiser, see ``UNetBlock``.
    shared
        Whether all unrolls have the same denoiser and lambda, as in the paper.
    """

    def __init__(
        self,
        *,
        unrolls: Annotated[int, Field(ge=1)] = 10,
        iterations: Annotated[int, Field(ge=1)] = 8,
        channels: Annotated[int, Field(ge=1)] = 18,
        pools: Annotated[int, Field(ge=1)] = 4,
        shared: bool = True,
    ) -> None:
        super().__init__()
        self.unrolls, self.iterations, self.pools = unrolls, iterations, pools
        count = 1 if shared else unrolls
        self.denoisers = nn.ModuleList(ResidualDenoiser(channels, pools) for _ in range(count))
        self.log_weight = nn.Parameter(torch.full((count,), math.log(0.05)))

    def forward(self, measurements: Measurements) -> Tensor:
        """Reconstruct: (batch, y, x) complex64."""
        operator = measurements.operator()
        zero_filled = operator.adjoint(measurements.kspace)
        scale = image_scale(zero_filled)
        x = back_projected = zero_filled / scale
        weight = self.log_weight.exp()
        for unroll in range(self.unrolls):
            n = unroll % len(self.denoisers)
            channels, inside = padded(as_channels(x), 2**self.pools)
            z = as_complex(self.denoisers[n](channels)[..., *inside])
            x = nearest_consistent(operator, back_projected, z, weight[n], self.iterations)
        return scale * x

    def blocks(self) -> tuple[Block, ...]:
        """List the denoisers."""
        return tuple(Block(f"denoisers.{n}", (2,), 2**self.pools) for n in range(len(self.denoisers)))
