"""Convolutions as the networks here begin with them: He-initialised, or zero for a network that begins as identity.

None has a bias, and no layer normalises. With leaky ReLUs between, such a network is homogeneous, f(c x) = c f(x) for
c > 0: it invents nothing from zeros, and meets noise levels beyond those of its training better (S. Mohan et al.,
ICLR 2020). It is the initialisation that keeps intensities in range. Batches here are too small for batch norm, and
instance norm forgets intensities.
"""

from __future__ import annotations

from torch import nn

SLOPE = 0.2
"""Slope of every leaky ReLU below zero: real and imaginary parts are of either sign."""


def convolution(in_channels: int, out_channels: int, size: int = 3, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """Return a convolution that keeps height and width (over ``stride``) and the variance of leaky-rectified inputs.

    K. He et al., ICCV 2015. ``size`` is odd.
    """
    padding = dilation * (size // 2)
    layer = nn.Conv2d(in_channels, out_channels, size, stride=stride, dilation=dilation, padding=padding, bias=False)
    nn.init.kaiming_normal_(layer.weight, a=SLOPE, nonlinearity="leaky_relu")
    return layer


def zero_convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Return a 1x1 convolution that begins as zero: the last layer of what is added to an image."""
    layer = nn.Conv2d(in_channels, out_channels, 1, bias=False)
    nn.init.zeros_(layer.weight)
    return layer


def doubling_convolution(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution that doubles height and width and keeps the variance like ``convolution``."""
    layer = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2, bias=False)
    # one tap of every input channel reaches an output: the fan-in is the number of input channels
    nn.init.normal_(layer.weight, std=(2 / (1 + SLOPE**2) / in_channels) ** 0.5)
    return layer


def activation() -> nn.LeakyReLU:
    """Return the leaky ReLU of all networks, in place: gradients of convolutions need only their inputs."""
    return nn.LeakyReLU(SLOPE, inplace=True)
