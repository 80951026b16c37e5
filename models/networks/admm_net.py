"""ADMM-Net: the alternating direction method of multipliers, unrolled, with a learnt proximal map."""

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


class ADMMNet(Network):
    """ADMM-Net: Y. Yang, J. Sun, H. Li and Z. Xu, NeurIPS 2016, section 3, with scaled multipliers u.

    From z = u = 0, in each stage::

        x <- (A^H A + rho)^-1 (A^H y + rho (z - u))
        z <- P(x + u)
        u <- u + eta (x - z)

    and x once more at the end. The proximal map P is a residual U-Net (the paper has filters and piecewise linear
    functions); rho, positive, and eta are learnt for each stage. Untrained, P is the identity and x nears the least
    squares image from stage to stage.

    Parameters
    ----------
    stages
        Number of stages; up to 15 in the paper.
    iterations
        Of conjugate gradients in each update of x, which the paper, of one coil, solves in k-space.
    channels, pools
        Of each proximal map, see ``UNetBlock``.
    shared
        Whether all stages have the same proximal map; not so in the paper.
    """

    def __init__(
        self,
        *,
        stages: Annotated[int, Field(ge=1)] = 8,
        iterations: Annotated[int, Field(ge=1)] = 8,
        channels: Annotated[int, Field(ge=1)] = 16,
        pools: Annotated[int, Field(ge=1)] = 3,
        shared: bool = False,
    ) -> None:
        super().__init__()
        self.iterations, self.pools = iterations, pools
        self.proximal_maps = nn.ModuleList(ResidualDenoiser(channels, pools) for _ in range(1 if shared else stages))
        self.log_rho = nn.Parameter(torch.full((stages + 1,), math.log(0.05)))
        self.eta = nn.Parameter(torch.ones(stages))

    def forward(self, measurements: Measurements) -> Tensor:
        """Reconstruct: (batch, y, x) complex64."""
        operator = measurements.operator()
        zero_filled = operator.adjoint(measurements.kspace)
        scale = image_scale(zero_filled)
        back_projected = zero_filled / scale
        *rhos, last_rho = self.log_rho.exp()
        z = u = torch.zeros_like(back_projected)
        for stage, (rho, eta) in enumerate(zip(rhos, self.eta, strict=True)):
            x = nearest_consistent(operator, back_projected, z - u, rho, self.iterations)
            proximal_map = self.proximal_maps[stage % len(self.proximal_maps)]
            channels, inside = padded(as_channels(x + u), 2**self.pools)
            z = as_complex(proximal_map(channels)[..., *inside])
            u = u + eta * (x - z)
        return scale * nearest_consistent(operator, back_projected, z - u, last_rho, self.iterations)

    def blocks(self) -> tuple[Block, ...]:
        """List the proximal maps."""
        return tuple(Block(f"proximal_maps.{n}", (2,), 2**self.pools) for n in range(len(self.proximal_maps)))
