"""ADMM-Net."""

import pytest
import torch
from torch import nn

from echotrain.models.networks.build import build
from echotrain.models.operators.sense import SenseOperator


class Scaled(nn.Module):
    """The proximal map of a squared norm, or zero."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def with_proximal_map(factor, stages, **options):
    network = build(
        "admm_net", {"stages": stages, "iterations": 40, "channels": 4, "pools": 1, "shared": True} | options
    )
    network.proximal_maps[0] = Scaled(factor)
    return network.eval()


def tikhonov(measurements, weight):
    """Solve (A^H A + weight) x = A^H y densely, for one slice."""
    size = measurements.kspace.shape[2:]
    operator = SenseOperator(measurements.maps.to(torch.complex128), measurements.mask)
    basis = torch.eye(size.numel(), dtype=torch.complex128).view(-1, *size)
    normal = torch.stack([operator.normal(one[None]).flatten() for one in basis], dim=1)
    rhs = operator.adjoint(measurements.kspace.to(torch.complex128)).flatten()
    x = torch.linalg.solve(normal + weight * torch.eye(len(rhs)), rhs)
    return x.view(1, *size).to(torch.complex64)


@pytest.mark.parametrize("stages", [1, 4])
def test_a_proximal_map_that_returns_zero_gives_the_tikhonov_image(make_measurements, stages):
    network = with_proximal_map(0.0, stages)
    nn.init.zeros_(network.eta)  # the multipliers would press x towards z = 0
    measurements = make_measurements(size=(9, 12))
    torch.testing.assert_close(network(measurements), tikhonov(measurements, 0.05), rtol=1e-3, atol=1e-4)


def test_the_proximal_map_of_a_squared_norm_makes_it_converge_to_the_tikhonov_image_of_that_norm(make_measurements):
    rho, weight = 0.05, 0.1
    network = with_proximal_map(rho / (rho + weight), stages=60)
    measurements = make_measurements(size=(9, 12))
    expected = tikhonov(measurements, weight)
    assert (expected - tikhonov(measurements, rho)).norm() > 0.01 * expected.norm()
    torch.testing.assert_close(network(measurements), expected, rtol=1e-3, atol=1e-4)


def test_an_untrained_network_nears_the_least_squares_image(make_measurements):
    measurements = make_measurements(size=(16, 12), coils=8)
    image = build("admm_net", {"stages": 10, "iterations": 40, "channels": 4, "pools": 1})(measurements)
    residual = (measurements.operator()(image) - measurements.kspace).norm()
    assert residual < 0.01 * measurements.kspace.norm()


def test_proximal_maps_are_one_a_stage_unless_shared():
    unshared, shared = (build("admm_net", {"stages": 5, "channels": 4, "shared": shared}) for shared in (False, True))
    assert len(unshared.proximal_maps) == 5
    assert len(shared.proximal_maps) == 1
    assert len(shared.log_rho) == 6
