"""The learnt prior: one network that denoises at every noise level."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ..measurements import Measurements
from .network import Block, Network, as_channels, as_complex, image_scale, padded
from .noise_conditioned_unet import NoiseConditionedUNet
from .sure_denoiser import zero_filled_noise

_Width = Annotated[int, Field(ge=1)]


class DiffusionPrior(Network):
    """A ``Prior`` of complex images, preconditioned over the noise level.

    T. Karras et al., NeurIPS 2022 (EDM), eq. 7 and table 1, with s = ``sigma_data``::

        D(x, sigma) = s^2 / (sigma^2 + s^2) x + sigma s / sqrt(sigma^2 + s^2) F(x / sqrt(sigma^2 + s^2), ln(sigma) / 4)

    so that F sees and predicts numbers of about 1 at every level. Images are in units of ``image_scale``; their phase
    is free. Any matrix size: F is convolutional, and images are padded to its multiple with zeros.

    As a reconstruction it denoises the zero-filled image at the noise level of the scan: one step of Tweedie's formula.

    Parameters
    ----------
    channels, blocks, embedding, heads
        Of F, see ``NoiseConditionedUNet``.
    sigma_data
        Standard deviation of each part of an image in units of ``image_scale``.
    sigma_min, sigma_max
        Noise levels, of each part, between which it is trained.
    """

    def __init__(
        self,
        *,
        channels: Annotated[tuple[_Width, ...], Field(min_length=1)] = (48, 96, 144),
        blocks: Annotated[int, Field(ge=1)] = 2,
        embedding: Annotated[int, Field(ge=1)] = 64,
        heads: Annotated[int, Field(ge=0)] = 0,
        sigma_data: Annotated[float, Field(gt=0)] = 0.4,
        sigma_min: Annotated[float, Field(gt=0)] = 0.005,
        sigma_max: Annotated[float, Field(gt=0)] = 80.0,
    ) -> None:
        super().__init__()
        self.unet = NoiseConditionedUNet(channels, blocks, embedding, heads)
        self.sigma_data, self.sigmas = sigma_data, (sigma_min, sigma_max)
        self._multiple = NoiseConditionedUNet.multiple(len(channels))

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return D(x, sigma), (batch, y, x) complex64; see ``Prior``.

        Parameters
        ----------
        x
            (batch, y, x) complex64 in units of ``image_scale``.
        sigma
            Standard deviation of the noise in each of the real and imaginary parts, () or (batch,).
        """
        sigma = sigma.to(x.device, torch.float32).expand(len(x))[:, None, None]
        total = (sigma.square() + self.sigma_data**2).sqrt()
        channels, inside = padded(as_channels(x / total), self._multiple)
        level = (sigma.log() / 4)[:, None].expand(-1, -1, *channels.shape[2:])
        predicted = as_complex(self.unet(torch.cat((channels, level), dim=1))[..., *inside])
        return (self.sigma_data / total) ** 2 * x + sigma * self.sigma_data / total * predicted

    def forward(self, measurements: Measurements) -> Tensor:
        """Denoise the zero-filled image: (batch, y, x) complex64.

        Raises
        ------
        ValueError
            The noise level of the measurements is unknown.
        """
        image = measurements.zero_filled()
        sigma = zero_filled_noise(measurements) * 0.5**0.5  # of each part
        # the noise makes the brighter half look brighter than it is
        scale = image_scale(image)
        scale = (scale.square() - 2 * sigma.square()).maximum((0.1 * scale).square()).sqrt()
        levels = (sigma / scale).clamp(*self.sigmas).flatten()
        denoised = scale * self.denoise(image / scale, levels)
        return torch.where((image != 0).flatten(1).any(dim=1)[:, None, None], denoised, 0)  # nothing from nothing

    def attention(self) -> dict[str, Tensor]:
        """Return those weights that the network has for attention alone, under their names."""
        return {name: weight for name, weight in self.state_dict().items() if name.startswith("unet.attention.")}

    def blocks(self) -> tuple[Block, ...]:
        """List the one U-Net."""
        return (Block("unet", (3,), self._multiple),)
