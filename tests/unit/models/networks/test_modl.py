"""MoDL and its data consistency."""

import pytest
import torch
from torch import nn

from echotrain.models.measurements import Measurements
from echotrain.models.networks.build import build
from echotrain.models.networks.tikhonov import nearest_consistent
from echotrain.models.operators.sense import SenseOperator


def dense(operator, size):
    """Return A^H A of one slice as matrix."""
    pixels = size[0] * size[1]
    basis = torch.eye(pixels, dtype=torch.complex128).view(pixels, *size)
    columns = [operator.normal(one[None]).flatten() for one in basis]
    return torch.stack(columns, dim=1)


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 2, 4, 5, dtype=torch.complex128, generator=generator)
    maps = maps / maps.abs().square().sum(dim=1, keepdim=True).sqrt()
    mask = torch.rand(1, 1, 4, 5, generator=generator) < 0.6
    images = torch.randn(2, 1, 4, 5, dtype=torch.complex128, generator=generator)
    return maps, mask, images[0], images[1]


def test_the_nearest_consistent_image_is_that_of_a_dense_solve(problem):
    maps, mask, back_projected, image = problem
    operator = SenseOperator(maps, mask)
    weight = torch.tensor(0.3, dtype=torch.float64)
    matrix = dense(operator, (4, 5)) + weight * torch.eye(20)
    expected = torch.linalg.solve(matrix, (back_projected + weight * image).flatten())
    torch.testing.assert_close(nearest_consistent(operator, back_projected, image, weight, 40).flatten(), expected)


def test_the_image_is_the_same_to_the_bit_without_gradients(problem):
    maps, mask, back_projected, image = problem
    operator, weight = SenseOperator(maps, mask), torch.tensor(0.3, dtype=torch.float64)
    with_gradients = nearest_consistent(operator, back_projected, image.requires_grad_(), weight, 3)
    assert with_gradients.requires_grad
    with torch.no_grad():
        assert torch.equal(nearest_consistent(operator, back_projected, image, weight, 3), with_gradients)


def test_its_gradients_are_those_of_the_exact_solution(problem):
    maps, mask, back_projected, image = problem
    weight = torch.tensor(0.3, dtype=torch.float64)

    def function(maps, back_projected, image, weight):
        return nearest_consistent(SenseOperator(maps, mask), back_projected, image, weight, 25)

    inputs = [tensor.requires_grad_() for tensor in (maps, back_projected, image, weight)]
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)


class Zero(nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)


def tikhonov(measurements: Measurements, weight, rounds=1):
    """Solve densely; each round after the first stays near the image of the one before."""
    size = measurements.kspace.shape[2:]
    double = SenseOperator(measurements.maps.to(torch.complex128), measurements.mask)
    matrix = dense(double, size) + weight * torch.eye(size.numel())
    back_projected = double.adjoint(measurements.kspace.to(torch.complex128)).flatten()
    x = torch.zeros_like(back_projected)
    for _ in range(rounds):
        x = torch.linalg.solve(matrix, back_projected + weight * x)
    return x.view(1, *size).to(torch.complex64)


@pytest.mark.parametrize("unrolls", [1, 3])
def test_a_denoiser_that_returns_zero_gives_the_tikhonov_image(make_measurements, unrolls):
    network = build("modl", {"unrolls": unrolls, "iterations": 40, "channels": 4, "pools": 1})
    network.denoisers[0] = Zero()
    measurements = make_measurements(size=(9, 12))
    torch.testing.assert_close(network(measurements), tikhonov(measurements, 0.05), rtol=1e-3, atol=1e-4)


def test_an_untrained_network_nears_the_least_squares_image(make_measurements):
    measurements = make_measurements(size=(16, 12), coils=8)
    network = build("modl", {"unrolls": 10, "iterations": 40, "channels": 4, "pools": 1})
    image = network(measurements)
    residual = (measurements.operator()(image) - measurements.kspace).norm()
    assert residual < 0.01 * measurements.kspace.norm()


def test_denoisers_are_shared_unless_asked_otherwise():
    shared, unshared = (
        build("modl", {"unrolls": 5, "channels": 4, "pools": 1, "shared": shared}) for shared in (True, False)
    )
    assert len(shared.denoisers) == len(shared.log_weight) == 1
    assert len(unshared.denoisers) == len(unshared.log_weight) == 5
