"""Coil sensitivity maps that a network estimates from the calibration region, as part of a reconstruction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..coils.calibration_region import calibration_region
from ..measurements import Measurements
from ..operators.fourier import FourierOperator
from .network import Block, as_channels, as_complex, image_scale, padded
from .unet_block import UNetBlock


class LearntMaps(nn.Module):
    """Sensitivity map estimation of A. Sriram et al., MICCAI 2020 (arXiv 2004.06688), section 3.2.

    The images of the coils from the calibration region alone, each refined by the same U-Net, over their root sum of
    squares: ``c + UNet(c)``, so that an untrained network gives the low-resolution estimate itself.

    Parameters
    ----------
    channels
        Channels at full resolution.
    pools
        Levels below.
    """

    def __init__(self, channels: int, pools: int = 4) -> None:
        super().__init__()
        self.pools = pools
        self.unet = UNetBlock(2, 2, channels, pools)

    def forward(self, measurements: Measurements) -> Tensor:
        """Estimate maps: (batch, coils, y, x) complex64; over coils their squares sum to 1, or 0 without any signal.

        Raises
        ------
        ValueError
            The centre of the k-space of a slice was not sampled.
        """
        coils = FourierOperator().adjoint(measurements.kspace * _calibration_mask(measurements.mask))
        coils = coils / image_scale(_root_sum_of_squares(coils).to(coils.dtype))[:, None]
        x, inside = padded(as_channels(coils.flatten(0, 1)), 2**self.pools)
        coils = coils + as_complex(self.unet(x)[..., *inside]).reshape(coils.shape)
        return coils / _root_sum_of_squares(coils)[:, None]

    def block(self, path: str) -> Block:
        """Describe the U-Net, for a module that is at ``path`` in its network."""
        return Block(f"{path}.unet", (2,), 2**self.pools)


def _calibration_mask(mask: Tensor) -> Tensor:
    """(batch, 1, ky, kx or 1) bool: those samples of a mask that are the rectangle about the centre."""
    calibration = torch.zeros_like(mask)
    for inside, sampled in zip(calibration, mask.cpu().numpy(), strict=True):
        region = calibration_region(sampled[0])
        inside[0][region] = True
        if not inside.any():
            raise ValueError(
                "the centre of k-space was not sampled: maps can not be learnt from it; give a network maps"
            )
    return calibration


def _root_sum_of_squares(coils: Tensor) -> Tensor:
    power = (coils.real.square() + coils.imag.square()).sum(dim=1)
    return power.clamp(min=1e-20).sqrt()
