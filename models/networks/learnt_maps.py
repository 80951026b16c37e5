"""Coil sensitivity maps that a network estimates from the calibration region, as part of a reconstruction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
            The centre of k-space was not sampled.
        """
        coils = FourierOperator().adjoint(measurements.kspace * calibration_region(measurements.mask))
        coils = coils / image_scale(_root_sum_of_squares(coils).to(coils.dtype))[:, None]
        x, inside = padded(as_channels(coils.flatten(0, 1)), 2**self.pools)
        coils = coils + as_complex(self.unet(x)[..., *inside]).reshape(coils.shape)
        return coils / _root_sum_of_squares(coils)[:, None]

    def block(self, path: str) -> Block:
        """Describe the U-Net, for a module that is at ``path`` in its network."""
        return Block(f"{path}.unet", (2,), 2**self.pools)


def calibration_region(mask: Tensor) -> Tensor:
    """Return which samples are calibration: the fully sampled run of lines (and columns) through the centre of k-space.

    Parameters
    ----------
    mask
        (batch, 1, ky, kx or 1) bool.

    Returns
    -------
        Of the same shape, bool. Where single points are sampled it is the rectangle that the runs along the two axes
        through the centre span.

    Raises
    ------
    ValueError
        The centre of k-space was not sampled.
    """
    height, width = mask.shape[-2:]
    if not mask[:, 0, height // 2, width // 2].all():
        raise ValueError("the centre of k-space was not sampled: maps can not be learnt from it; give a network maps")
    lines = _run_through_centre(mask[..., width // 2])
    columns = _run_through_centre(mask[..., height // 2, :])
    return lines[..., :, None] & columns[..., None, :]


def _run_through_centre(sampled: Tensor) -> Tensor:
    centre = sampled.shape[-1] // 2
    after = sampled[..., centre:].cumprod(dim=-1)
    before = sampled[..., :centre].flip(-1).cumprod(dim=-1).flip(-1)
    return torch.cat((before, after), dim=-1).bool()


def _root_sum_of_squares(coils: Tensor) -> Tensor:
    power = (coils.real.square() + coils.imag.square()).sum(dim=1)
    return power.clamp(min=1e-20).sqrt()
