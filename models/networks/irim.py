"""Invertible recurrent inference machine: learnt gradient descent whose states need not be kept for training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, cast

from pydantic import Field
from torch import Tensor, cat, nn

from ..measurements import Measurements
from ..operators.sense import SenseOperator
from .convolution import activation, convolution
from .invertible import Coupling, InvertibleStep, OrthogonalMatrix, Rotation, run_forward, run_memory_free
from .network import Block, Network, as_channels, as_complex, image_scale, padded
from .start import Start, starting_image


class IRIM(Network):
    """i-RIM: P. Putzky and M. Welling, NeurIPS 2019 (arXiv 1911.10914), sections 3.1 and 3.2.

    The state has ``channels`` channels in two halves. The first two channels of the first half are the image x, which
    begins as A^H y or what ``start`` says; all others begin as zero. In each step A^H (A x - y) is added to the first
    two channels of the second half, then come invertible blocks: an orthogonal 1x1 convolution U, residual functions
    that add to each half what they make of the other, and U^T. Each residual function is a strided convolution, a 3x3
    convolution and a transposed convolution, which begins as zero, so that the untrained network returns what it
    begins with.

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
        them: measured on a CPU, that nearly halves the time of a training step.
    start
        The image that x begins as, see ``Start``; zero-filled in the paper.
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
        start: Start = "zero_filled",
    ) -> None:
        super().__init__()
        self.start = start
        self.steps, self.half_channels, self.strides = steps, channels // 2, strides
        self.multiple = math.lcm(*strides)
        self.cells = nn.ModuleList(
            InvertibleCell(self.half_channels, hidden, strides) for _ in range(1 if shared else steps)
        )
        self._run = run_memory_free if memory_free else run_forward

    def forward(self, measurements: Measurements) -> Tensor:
        """Reconstruct: (batch, y, x) complex64."""
        zero_filled = measurements.zero_filled()
        scale = image_scale(zero_filled)
        x, inside = padded(as_channels(starting_image(measurements, self.start) / scale), self.multiple)
        rest = x.new_zeros(len(x), self.half_channels - 2, *x.shape[2:])
        state = cat((x, rest), dim=1), x.new_zeros(len(x), self.half_channels, *x.shape[2:])
        first, _ = self._run(self._sequence(zero_filled / scale, measurements, inside), state)
        return scale * as_complex(first[:, :2, *inside])

    def _sequence(
        self, back_projected: Tensor, measurements: Measurements, inside: tuple[slice, slice]
    ) -> list[InvertibleStep]:
        fixed = measurements.operator()

        def likelihood_gradient(half: Tensor, back_projected: Tensor, maps: Tensor) -> Tensor:
            operator = SenseOperator(maps, measurements.mask) if maps.requires_grad else fixed
            x = as_complex(half[:, :2, *inside])
            gradient, _ = padded(as_channels(operator.normal(x) - back_projected), self.multiple)
            return nn.functional.pad(gradient, (0, 0, 0, 0, 0, half.shape[1] - 2))

        descent = Coupling(function=likelihood_gradient, data=(back_projected, measurements.maps), onto=1)
        cells = [cast("InvertibleCell", cell).steps() for cell in self.cells]
        return [step for n in range(self.steps) for step in (descent, *cells[n % len(cells)])]

    def blocks(self) -> tuple[Block, ...]:
        """List the residual functions; the orthogonal matrices between them stay in torch."""
        return tuple(
            Block(f"cells.{n}.{name}.{m}", (self.half_channels,), stride)
            for n in range(len(self.cells))
            for m, stride in enumerate(self.strides)
            for name in ("onto_second", "onto_first")
        )


class InvertibleCell(nn.Module):
    """The invertible blocks of one step.

    Parameters
    ----------
    half
        Channels of half a state.
    hidden
        Channels between the convolutions.
    strides
        Of the residual functions of each block; height and width must be multiples of it.
    """

    def __init__(self, half: int, hidden: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.orthogonal = nn.ModuleList(OrthogonalMatrix(2 * half) for _ in strides)
        self.onto_second = nn.ModuleList(_residual_function(half, hidden, stride) for stride in strides)
        self.onto_first = nn.ModuleList(_residual_function(half, hidden, stride) for stride in strides)

    def steps(self) -> list[InvertibleStep]:
        """Return what the cell does to a state: U, residual functions, U^T for each block."""
        matrices = [cast("Tensor", orthogonal()) for orthogonal in self.orthogonal]
        # U^T of a block and U of the next are multiplied first: one pass over the state
        between = [after @ before.T for before, after in pairwise(matrices)]
        rotations = [Rotation(matrix.float()) for matrix in (matrices[0], *between, matrices[-1].T)]
        steps: list[InvertibleStep] = [rotations[0]]
        for onto_second, onto_first, rotation in zip(self.onto_second, self.onto_first, rotations[1:], strict=True):
            steps += [
                Coupling(function=onto_second, parameters=tuple(onto_second.parameters()), onto=1),
                Coupling(function=onto_first, parameters=tuple(onto_first.parameters()), onto=0),
                rotation,
            ]
        return steps


def _residual_function(half: int, hidden: int, stride: int) -> nn.Sequential:
    down = nn.Conv2d(half, hidden, stride, stride=stride, bias=False)
    nn.init.kaiming_normal_(down.weight, nonlinearity="linear")
    up = nn.ConvTranspose2d(hidden, half, stride, stride=stride, bias=False)
    nn.init.zeros_(up.weight)
    return nn.Sequential(down, activation(), convolution(hidden, hidden), activation(), up)
