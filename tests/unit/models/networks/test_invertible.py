"""Invertible steps, and gradients that reconstruct the states."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from echotrain.models.networks.invertible import (
    Coupling,
    OrthogonalMatrix,
    Rotation,
    run_forward,
    run_memory_free,
    run_reverse,
)


class Sequence(nn.Module):
    """Rotations and couplings in turn; the last coupling depends on data too."""

    def __init__(self, half=3, dtype=torch.float64):
        super().__init__()
        torch.manual_seed(0)
        self.matrices = nn.ModuleList(OrthogonalMatrix(2 * half) for _ in range(3))
        self.functions = nn.ModuleList(
            nn.Sequential(nn.Conv2d(half, 8, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(8, half, 3, padding=1))
            for _ in range(3)
        )
        self.to(dtype)

    def steps(self, data):
        steps = []
        for n, (matrix, function) in enumerate(zip(self.matrices, self.functions, strict=True)):
            steps.append(Rotation(matrix().to(data.dtype)))
            steps.append(Coupling(function=function, parameters=tuple(function.parameters()), onto=n % 2))
        steps.append(Coupling(function=lambda half, data: data * half.tanh(), data=(data,), onto=1))
        return [*steps, *steps]  # each is taken twice, as by cells that share weights


def random_state(dtype=torch.float64, size=(7, 5)):
    generator = torch.Generator().manual_seed(1)
    first, second, data = torch.randn(3, 2, 3, *size, dtype=dtype, generator=generator)
    return (first.requires_grad_(), second.requires_grad_()), data.requires_grad_()


def gradients(run, *, autocast=nullcontext, dtype=torch.float64, frozen=False):
    sequence = Sequence(dtype=dtype).requires_grad_(not frozen)
    state, data = random_state(dtype)
    with autocast():
        first, second = run(sequence.steps(data), state)
    (first.square().sum() + (first * second).sum()).backward()
    wanted = [*state, data, *(() if frozen else sequence.parameters())]
    return [tensor.grad for tensor in wanted]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_reversal_returns_the_state_before(dtype, tolerance):
    state, data = random_state(dtype)
    steps = Sequence(dtype=dtype).steps(data)
    after = run_forward(steps, state)
    assert (after[0] - state[0]).abs().max() > 0.1
    for half, expected in zip(run_reverse(steps, after), state, strict=True):
        torch.testing.assert_close(half, expected, rtol=0, atol=tolerance)


def test_matrices_are_orthogonal_and_far_from_the_identity():
    matrix = OrthogonalMatrix(16)()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(16).double(), rtol=0, atol=1e-13)
    assert (matrix - torch.eye(16)).norm() > 2


@pytest.mark.parametrize("frozen", [False, True])
def test_memory_free_gradients_equal_those_of_autograd(frozen):
    expected, memory_free = (gradients(run, frozen=frozen) for run in (run_forward, run_memory_free))
    for one, other in zip(memory_free, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_memory_free_gradients_equal_the_differences_of_the_function():
    sequence = Sequence()
    state, data = random_state(size=(2, 3))
    parameters = list(sequence.parameters())

    def function(first, second, data, *_parameters):
        return run_memory_free(sequence.steps(data), (first, second))

    assert torch.autograd.gradcheck(function, (*state, data, *parameters), fast_mode=True)


def test_memory_free_gradients_run_in_the_precision_of_the_forward_pass():
    def autocast():
        return torch.autocast("cpu", torch.bfloat16)

    exact, reduced, memory_free = (
        gradients(run, autocast=precision, dtype=torch.float32)
        for run, precision in ((run_forward, nullcontext), (run_forward, autocast), (run_memory_free, autocast))
    )
    lost = [(one - other).norm() for one, other in zip(reduced, exact, strict=True)]
    differ = [(one - other).norm() for one, other in zip(memory_free, reduced, strict=True)]
    assert all(loss > 0 for loss in lost)
    assert all(difference <= loss for difference, loss in zip(differ, lost, strict=True))


def test_a_backward_pass_inside_autocast_reaches_every_weight():
    sequence = Sequence(dtype=torch.float32)
    state, data = random_state(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        first, _ = run_memory_free(sequence.steps(data), state)
        first.sum().backward()
    assert all(parameter.grad is not None for parameter in sequence.functions.parameters())
