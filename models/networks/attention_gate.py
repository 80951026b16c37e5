"""Attention of a decoder: what the encoder saw says which of the decoder's features count."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import leaky_relu, max_pool2d

from .convolution import SLOPE, activation, convolution, zero_convolution


class AttentionGate(nn.Module):
    """x * 2 sigmoid(psi(pool(G(g)) + X(x))): the attention unit of D. Jha et al., ISM 2019 (ResUNet++), figure 1.

    The unit there multiplies by psi itself, between batch norms. Without those the sigmoid bounds the factor, which
    is 1 in an untrained gate.

    Parameters
    ----------
    encoder_channels
        Channels of the encoder's features g, which are twice as high and wide as x.
    channels
        Channels of the decoder's features x.
    """

    def __init__(self, encoder_channels: int, channels: int) -> None:
        super().__init__()
        self.encoder = convolution(encoder_channels, channels)
        self.decoder = convolution(channels, channels)
        self.weight = nn.Sequential(activation(), zero_convolution(channels, channels), nn.Sigmoid())

    def forward(self, g: Tensor, x: Tensor) -> Tensor:
        """Weight x, (batch, channels, y, x), by g, (batch, encoder_channels, 2 y, 2 x)."""
        seen = max_pool2d(self.encoder(leaky_relu(g, SLOPE)), 2)
        return x * (2 * self.weight(seen + self.decoder(leaky_relu(x, SLOPE))))
