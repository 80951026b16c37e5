"""Invertible recurrent inference machine: learnt gradient descent whose states need not be kept for training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, cat, nn

from ..measurements import Measurements
from ..operators.sense import SenseOperator
from .convolution import activation, convolution
from .invertible import Coupling, InvertibleStep, OrthogonalMatrix, Rotation, run_forward, run_memory_free
from .network import Block, Network, as_channels, as_complex, image_scale, padded


class IRIM(Network):
    """i-RIM: P. Putzky and M. Welling, NeurIPS 2019 (arXiv 1911.10914), sections 3.1 and 3.2.

    The state has ``channels`` channels in two halves. The first two channels of the first half are the image x, which
    begins as A^H y; all others begin as zero. In each step A^H (A x - y) is added to the first two channels of the
    second half, then come invertible blocks: an orthogonal 1x1 convolution U, residual functions that add to each half
    what they make of the other, and U^T. Each residual function is a strided convolution, a 3x3 convolution and a
    transposed convolution, which begins as zero, so that the untrained network returns A^H y.

    Wants the state in float32, which it has under autocast too: only the residual functions run in reduced precision.

    Parameters
    ----------
    steps
        Number of steps; 8 in the paper.
    channels
        Channels of the state, even; 64 in the paper.
    hidden
        Channels between the convolutions of a residual function.
    strides
        Stride of each block of a step.
    shared
        Whether all steps have the same weights.
    memory_free
        Whether the gradient reconstructs the states, which makes memory independent of ``steps``, or autograd keeps
        them, which spares a third of a training step's time.
    """

    def __init__(
        self,
        *,
        steps: Annotated[int, Field(ge=1)] = 8,
        channels: Annotated[int, Field(ge=4, multiple_of=2)] = 64,
        hidden: Annotated[int, Field(ge=1)] = 64,
        strides: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (1, 2, 4, 8),
        shared: bool = False,
        memory_free: bool = True,
    ) -> None:
        super().__init__()
        self.steps, self.half_channels, self.strides = steps, channels // 2, strides
        self.cells = nn.ModuleList(
            InvertibleCell(self.half_channels, hidden, strides) for _ in range(1 if shared else steps)
        )
        self._run = run_memory_free if memory_free else run_forward

    def forward(self, measurements: Measurements) -> Tensor:
        """Reconstruct: (batch, y, x) complex64."""
        zero_filled = measurements.zero_filled()
        scale = image_scale(zero_filled)
        x, inside = padded(as_channels(zero_filled / scale), math.lcm(*self.strides))
        rest = x.new_zeros(len(x), self.half_channels - 2, *x.shape[2:])
        state = cat((x, rest), dim=1), x.new_zeros(len(x), self.half_channels, *x.shape[2:])
        first, _ = self._run(self._sequence(zero_filled / scale, measurements, inside), state)
        return scale * as_complex(first[:, :2, *inside])

    def _sequence(
        self, back_projected: Tensor, measurements: Measurements, inside: tuple[slice, slice]
    ) -> list[InvertibleStep]:
        def likelihood_gradient(half: Tensor, back_projected: Tensor, maps: Tensor) -> Tensor:
            x = torch.complex(half[:, 0, *inside], half[:, 1, *inside])
            gradient = torch.zeros_like(half)
            gradient[:, :2, *inside] = as_channels(SenseOperator(maps, measurements.mask).normal(x) - back_projected)
            return gradient

        descent = Coupling(function=likelihood_gradient, data=(back_projected, measurements.maps), onto=1)
        cells = [cast("InvertibleCell", cell).steps() for cell in self.cells]
        return [step for n in range(self.steps) for step in (descent, *cells[n % len(cells)])]

    def blocks(self) -> tuple[Block, ...]:
        """List the residual functions; the orthogonal matrices between them stay in torch."""
        return tuple(
            Block(f"cells.{n}.blocks.{m}.{name}", (self.half_channels,), stride)
            for n in range(len(self.cells))
            for m, stride in enumerate(self.strides)
            for name in ("onto_second", "onto_first")
        )


class InvertibleCell(nn.Module):
    """The invertible blocks of one step, one for each stride."""

    def __init__(self, half: int, hidden: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(InvertibleBlock(half, hidden, stride) for stride in strides)

    def steps(self) -> list[InvertibleStep]:
        """Return what the cell does to a state."""
        return [step for block in self.blocks for step in cast("InvertibleBlock", block).steps()]


class InvertibleBlock(nn.Module):
    """Orthogonal 1x1 convolution, a residual function of either half, and the 1x1 convolution undone.

    Parameters
    ----------
    half
        Channels of half a state.
    hidden
        Channels between the convolutions.
    stride
        Of the residual functions; height and width must be multiples of it.
    """

    def __init__(self, half: int, hidden: int, stride: int) -> None:
        super().__init__()
        self.orthogonal = OrthogonalMatrix(2 * half)
        self.onto_second = _residual_function(half, hidden, stride)
        self.onto_first = _residual_function(half, hidden, stride)

    def steps(self) -> tuple[InvertibleStep, ...]:
        """Return what the block does to a state."""
        with torch.autocast(self.orthogonal.weight.device.type, enabled=False):
            matrix = self.orthogonal()
        return (
            Rotation(matrix),
            Coupling(function=self.onto_second, parameters=tuple(self.onto_second.parameters()), onto=1),
            Coupling(function=self.onto_first, parameters=tuple(self.onto_first.parameters()), onto=0),
            Rotation(matrix.T),
        )


def _residual_function(half: int, hidden: int, stride: int) -> nn.Sequential:
    down = nn.Conv2d(half, hidden, stride, stride=stride, bias=False)
    nn.init.kaiming_normal_(down.weight, nonlinearity="linear")
    up = nn.ConvTranspose2d(hidden, half, stride, stride=stride, bias=False)
    nn.init.zeros_(up.weight)
    return nn.Sequential(down, activation(), convolution(hidden, hidden), activation(), up)
