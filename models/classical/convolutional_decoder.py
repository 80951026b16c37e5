"""A convolutional network whose untrained output looks like an image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class ConvolutionalDecoder(nn.Module):
    """Grow a small input to an image: interpolation, convolution, rectification and normalisation at each size.

    M. Z. Darestani and R. Heckel, IEEE Trans. Comput. Imaging 7, 724 (2021), ConvDecoder, here with bilinear
    interpolation, which converges faster.

    Parameters
    ----------
    channels
        Of the input and of each layer; the output has 2, for a complex image.
    layers
        Convolutions of 3 x 3.
    size
        (height, width) of the output; the input has ``start(size)``.
    """

    def __init__(self, channels: int, layers: int, size: Sequence[int]) -> None:
        super().__init__()
        steps = [layer / (layers - 1) for layer in range(layers)]
        sizes = [
            tuple(round(first * (last / first) ** step) for first, last in zip(self.start(size), size, strict=True))
            for step in steps
        ]
        stages: list[nn.Module] = []
        for before, after in pairwise([sizes[0], *sizes]):
            grow = [] if before == after else [nn.Upsample(size=after, mode="bilinear")]
            convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            stages += [*grow, convolution, nn.ReLU(), nn.InstanceNorm2d(channels, affine=True)]
        self.layers = nn.Sequential(*stages, nn.Conv2d(channels, 2, 1, bias=False))

    @staticmethod
    def start(size: Sequence[int]) -> tuple[int, int]:
        """Height and width of the input."""
        return (min(8, size[0]), min(8, size[1]))

    def forward(self, x: Tensor) -> Tensor:
        """(1, channels, *start) to (1, 2, *size), real."""
        image: Tensor = self.layers(x)
        return image
