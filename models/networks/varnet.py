"""The end-to-end variational network: gradient steps on the k-space of all coils, with a learnt regulariser."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..measurements import Measurements
from ..operators.fourier import FourierOperator
from ..operators.sensitivities import SensitivityOperator
from .learnt_maps import LearntMaps
from .network import Block, Network, as_channels, as_complex, image_scale, padded
from .unet_block import UNetBlock


class VarNet(Network):
    """E2E-VarNet: A. Sriram et al., MICCAI 2020 (arXiv 2004.06688), equations 7 and 8.

    In each cascade, on the k-space k of all coils, which begins as what was measured, y::

        k <- k - eta M (k - y) + F E CNN(R F^-1 k)

    E weights an image by the coil sensitivities, R combines coil images by their conjugates, and eta is learnt. The
    image is R F^-1 k at the end, always by the maps of the measurements, which define its phase (the paper takes the
    root of the sum of squares, which has none).

    Parameters
    ----------
    cascades
        Number of steps; 12 in the paper.
    channels, pools
        Of each regulariser, see ``UNetBlock``; 18 and 4 in the paper.
    shared
        Whether all cascades have one and the same regulariser.
    maps
        ``given``: E and R in the cascades are by the maps of the measurements; ``learnt``: by maps that a further
        network estimates from the calibration region, as in the paper.
    maps_channels
        Channels of the network that estimates maps, which has 4 levels; 8 in the paper.
    """

    def __init__(
        self,
        *,
        cascades: Annotated[int, Field(ge=1)] = 12,
        channels: Annotated[int, Field(ge=1)] = 18,
        pools: Annotated[int, Field(ge=1)] = 4,
        shared: bool = False,
        maps: Literal["given", "learnt"] = "given",
        maps_channels: Annotated[int, Field(ge=1)] = 8,
    ) -> None:
        super().__init__()
        self.pools = pools
        self.eta = nn.Parameter(torch.ones(cascades))
        self.regularisers = nn.ModuleList(UNetBlock(2, 2, channels, pools) for _ in range(1 if shared else cascades))
        self.learnt_maps = LearntMaps(maps_channels) if maps == "learnt" else None

    def forward(self, measurements: Measurements) -> Tensor:
        """Reconstruct: (batch, y, x) complex64.

        Raises
        ------
        ValueError
            Maps are to be learnt and a scan has no calibration region.
        """
        S = SensitivityOperator(measurements.maps)
        E = S if self.learnt_maps is None else SensitivityOperator(self.learnt_maps(measurements))
        scale = image_scale(measurements.zero_filled())
        y = FourierOperator().adjoint(measurements.kspace / scale[:, None])
        # the k-space of each coil is carried as its image c = F^-1 k: then sampling is a circular convolution, for
        # which centring cancels, and so does the transform along readouts that are sampled whole
        axes = (-2,) if measurements.mask.shape[-1] == 1 else (-2, -1)
        sampled = torch.fft.ifftshift(measurements.mask, dim=axes)
        c = y
        for cascade, eta in enumerate(self.eta):
            x, inside = padded(as_channels(E.adjoint(c)), 2**self.pools)
            regulariser = self.regularisers[cascade % len(self.regularisers)]
            refinement = E(as_complex(regulariser(x)[..., *inside]))
            mismatch = torch.fft.ifftn(torch.fft.fftn(c, dim=axes) * (eta * sampled), dim=axes) - eta * y
            c = c - mismatch + refinement
        return scale * S.adjoint(c)

    def blocks(self) -> tuple[Block, ...]:
        """List the regularisers, and the network that estimates maps."""
        blocks = tuple(Block(f"regularisers.{n}", (2,), 2**self.pools) for n in range(len(self.regularisers)))
        return blocks if self.learnt_maps is None else (*blocks, self.learnt_maps.block("learnt_maps"))
