"""Squeeze and excite: channels weighted by what the whole image has in them."""

from __future__ import annotations

from torch import Tensor, nn

from .convolution import activation, convolution, zero_convolution


class SqueezeExcite(nn.Module):
    """x * 2 sigmoid(W2 relu(W1 mean(x))): J. Hu et al., CVPR 2018.

    Twice the sigmoid, with W2 = 0 at first: an untrained one passes its argument on.

    Parameters
    ----------
    channels
        Of argument and result.
    reduction
        Channels over those of the hidden layer; 8 in ResUNet++.
    """

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(4, channels // reduction)
        self.weight = nn.Sequential(
            convolution(channels, hidden, 1), activation(), zero_convolution(hidden, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Weight the channels of (batch, channels, y, x)."""
        return x * (2 * self.weight(x.mean(dim=(2, 3), keepdim=True)))
