"""Invertible steps, and gradients through many of them that keep only the last state in memory.

A. N. Gomez et al., NeurIPS 2017 (reversible residual networks); P. Putzky and M. Welling, NeurIPS 2019 (arXiv
1911.10914). Backpropagation needs the state before each step. Autograd keeps all of them; here each is computed again
from the state after it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

State = tuple[Tensor, Tensor]
"""Two halves of the channels, each (batch, channels / 2, height, width) float32 or float64."""


class InvertibleStep(ABC):
    """A map from state to state that can be undone."""

    @abstractmethod
    def inputs(self) -> Sequence[Tensor]:
        """Return what the step depends on beside the state, and gradients may be asked for: parameters, data."""

    @abstractmethod
    def forward(self, state: State) -> State:
        """Take the step."""

    @abstractmethod
    def reverse(self, state: State) -> State:
        """Undo the step."""

    @abstractmethod
    def retrace(self, after: State) -> tuple[State, Sequence[Tensor], State]:
        """Undo the step and take it again: the state before it and ``inputs``, as leaves; the state after it."""


@dataclass(frozen=True, kw_only=True)
class Coupling(InvertibleStep):
    """Add a function of one half to the other half. The function need not be invertible."""

    function: Callable[..., Tensor]
    """From (batch, channels / 2, height, width) and ``data`` to the same shape, in any real dtype."""
    data: Sequence[Tensor] = ()
    """Further arguments of the function."""
    parameters: Sequence[Tensor] = ()
    """Parameters that the function holds."""
    onto: Literal[0, 1]
    """The half that is added to."""

    def inputs(self) -> Sequence[Tensor]:
        """Return data and parameters."""
        return (*self.data, *self.parameters)

    def forward(self, state: State) -> State:
        """Add."""
        kept, changed = self._ordered(*state)
        return self._ordered(kept, changed + self._added(kept, *self.data))

    def reverse(self, state: State) -> State:
        """Subtract."""
        kept, changed = self._ordered(*state)
        return self._ordered(kept, changed - self._added(kept, *self.data))

    def retrace(self, after: State) -> tuple[State, Sequence[Tensor], State]:
        """Evaluate the function once for both directions: that is what makes this dearer than autograd by a third."""
        kept, changed = self._ordered(*after)
        (kept,) = _leaves(kept)
        data = [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in self.data]
        added = self._added(kept, *data)
        (before,) = _leaves(changed - added)
        return self._ordered(kept, before), (*data, *self.parameters), self._ordered(kept, before + added)

    def _added(self, kept: Tensor, *data: Tensor) -> Tensor:
        # not with the channels last, as convolutions may return them: rotations want each channel in one piece
        return self.function(kept, *data).to(kept.dtype, memory_format=torch.contiguous_format)

    def _ordered(self, kept: Tensor, changed: Tensor) -> State:
        return (kept, changed) if self.onto == 1 else (changed, kept)


@dataclass(frozen=True)
class Rotation(InvertibleStep):
    """Multiply the channels of each pixel by an orthogonal matrix (channels, channels)."""

    matrix: Tensor

    def inputs(self) -> Sequence[Tensor]:
        """Return the matrix."""
        return (self.matrix,)

    def forward(self, state: State) -> State:
        """Multiply by the matrix."""
        return _mixed(state, self.matrix)

    def reverse(self, state: State) -> State:
        """Multiply by its transpose."""
        return _mixed(state, self.matrix.T)

    def retrace(self, after: State) -> tuple[State, Sequence[Tensor], State]:
        """Undo and take again."""
        first, second, matrix = _leaves(*self.reverse(after), self.matrix)
        return (first, second), (matrix,), _mixed((first, second), matrix)


def _mixed(state: State, matrix: Tensor) -> State:
    pixels = torch.cat(state, dim=1).flatten(2)
    # never in reduced precision: what is lost of the state here is lost for its reversal
    with torch.autocast(pixels.device.type, enabled=False):
        mixed = torch.bmm(matrix.expand(len(pixels), *matrix.shape), pixels)
    first, second = mixed.view(-1, 2, *state[0].shape[1:]).unbind(dim=1)
    return first, second


def _leaves(*tensors: Tensor) -> list[Tensor]:
    # cut off from what they were computed from, along which a gradient would go past the step
    return [tensor.detach().requires_grad_() for tensor in tensors]


class OrthogonalMatrix(nn.Module):
    """A learnt orthogonal matrix U = (I + A)^-1 (I - A), A = W - W^T: the Cayley transform.

    Reaches every orthogonal matrix without the eigenvalue -1 by unconstrained steps in W.

    Parameters
    ----------
    size
        Rows and columns.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        # eigenvalues of A of the order of 1: far from the identity, and from the edge of the chart
        self.weight = nn.Parameter(torch.randn(size, size) / size**0.5)

    def forward(self) -> Tensor:
        """Return the matrix, (size, size) float64: how far it is from orthogonal adds up over the steps."""
        skew = (self.weight - self.weight.T).double()
        identity = torch.eye(len(skew), dtype=skew.dtype, device=skew.device)
        return torch.linalg.solve(identity + skew, identity - skew)


def run_forward(steps: Sequence[InvertibleStep], state: State) -> State:
    """Take all steps; autograd records each."""
    for step in steps:
        state = step.forward(state)
    return state


def run_reverse(steps: Sequence[InvertibleStep], state: State) -> State:
    """Undo all steps, the last one first."""
    for step in reversed(steps):
        state = step.reverse(state)
    return state


def run_memory_free(steps: Sequence[InvertibleStep], state: State) -> State:
    """Take all steps; only the last state is kept for the gradient, which can be taken once.

    Under autocast the gradient is computed in the precision of the forward pass.

    Parameters
    ----------
    steps
        At least one.
    state
        Before the first step, in float32 or float64 also under autocast.
    """
    unique = {id(tensor): tensor for step in steps for tensor in step.inputs() if tensor.requires_grad}
    first, second = _MemoryFree.apply(tuple(steps), *state, *unique.values())  # type: ignore[no-untyped-call]
    return first, second


class _MemoryFree(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, steps: tuple[InvertibleStep, ...], first: Tensor, second: Tensor, *tensors: Tensor) -> State:
        device = first.device.type
        ctx.steps, ctx.tensors = steps, tensors
        ctx.precision = (device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))
        with _autocast(ctx.precision):
            last = run_forward(steps, (first, second))
        ctx.save_for_backward(*last)
        return last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor | None, ...]:
        state, towards = ctx.saved_tensors, gradient
        sums: dict[int, Tensor] = {}
        for step in reversed(ctx.steps):
            wanted = [n for n, tensor in enumerate(step.inputs()) if tensor.requires_grad]
            with torch.enable_grad(), _autocast(ctx.precision):
                state, inputs, after = step.retrace(state)
            first, second, *others = torch.autograd.grad(after, (*state, *(inputs[n] for n in wanted)), towards)
            towards = (first, second)
            for n, part in zip(wanted, others, strict=True):
                key = id(step.inputs()[n])
                sums[key] = sums[key] + part if key in sums else part
        return (None, *towards, *(sums[id(tensor)] for tensor in ctx.tensors))


def _autocast(precision: tuple[str, torch.dtype, bool]) -> torch.autocast:
    # without autocast's cache of cast weights, in which the forward pass would leave weights that have no graph
    device, dtype, enabled = precision
    return torch.autocast(device, dtype, enabled=enabled, cache_enabled=False)
