"""MoDL with a prior's denoiser: its numbers, and what it does where the denoiser is known."""

from dataclasses import replace

import pytest
import torch

from echotrain.models.coils.maps_of_image import with_maps_of_image
from echotrain.models.networks.network import image_scale
from echotrain.models.noise_level import estimated_noise
from echotrain.models.operators.sense import SenseOperator


@pytest.fixture
def network(make_network):
    return make_network("prior_modl", iterations=60).requires_grad_(False)


def dense_tikhonov(measurements, weight, near):
    """Solve (A^H A + weight) x = A^H y + weight near with the whole matrix, in double precision."""
    size = measurements.kspace.shape[2:]
    operator = SenseOperator(measurements.maps.to(torch.complex128), measurements.mask)
    basis = torch.eye(size.numel(), dtype=torch.complex128).view(-1, *size)
    matrix = torch.stack([operator.normal(one[None]).flatten() for one in basis], dim=1)
    rhs = operator.adjoint(measurements.kspace.to(torch.complex128)).flatten() + weight * near.flatten()
    return torch.linalg.solve(matrix + weight * torch.eye(size.numel()), rhs).view(1, *size)


@pytest.mark.parametrize("noise", [0.1, 3.0])
def test_with_a_known_denoiser_each_unroll_is_the_dense_solve_of_the_numbers_that_it_learnt(
    network, make_measurements, monkeypatch, noise
):
    told = []

    def half(x, sigma):
        told.append(float(sigma))
        return 0.5 * x

    monkeypatch.setattr(network.denoiser, "denoise", half)
    measurements = replace(make_measurements(size=(9, 12)), noise=noise)
    expected = before = network.start(measurements).to(torch.complex128)
    scale = float(image_scale(expected))
    part = noise / 2**0.5 / scale  # noise of the real part, in units of the image
    names = ("log_error", "log_noise", "log_spread", "log_weight")
    numbers = [[float((10 * one).exp()) for one in network.get_parameter(name)] for name in names]
    assert network.momentum.abs().min() > 0.001
    images = network(measurements)
    assert len(told) == len(numbers[0])
    for unroll, (error, share, spread, weight) in enumerate(zip(*numbers, strict=True)):
        near = 0.5 * (expected + 10 * float(network.momentum[unroll]) * (expected - before))
        before, expected = expected, dense_tikhonov(measurements, weight + (part / spread) ** 2, near)
        assert told[unroll] == pytest.approx((error**2 + (share * part) ** 2) ** 0.5, rel=1e-4)
    torch.testing.assert_close(images.to(torch.complex128), expected, rtol=1e-3, atol=1e-4)


def test_a_noise_level_that_is_not_known_is_estimated_for_every_slice_by_itself(network, make_measurements):
    scans = [replace(make_measurements(seed=seed, scale=10.0**seed), noise=None) for seed in range(2)]
    fields = ("kspace", "mask", "maps")
    both = replace(scans[0], **{name: torch.cat([getattr(scan, name) for scan in scans]) for name in fields})
    for image, scan in zip(network(both), scans, strict=True):
        expected = network(replace(scan, noise=estimated_noise(scan)))[0]
        torch.testing.assert_close(image, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_more_noise_means_more_denoising(network, make_measurements, monkeypatch):
    told = []
    monkeypatch.setattr(network.denoiser, "denoise", lambda x, sigma: told.append(float(sigma)) or x)
    for noise in (0.0, 0.1, 1.0):
        network(replace(make_measurements(), noise=noise))
    quiet, middle, loud = told[0:2], told[2:4], told[4:6]
    assert all(a < b < c for a, b, c in zip(quiet, middle, loud, strict=True))


def test_another_pass_goes_on_from_the_image_by_the_maps_of_that_image_but_not_in_training(
    network, make_network, make_measurements
):
    measurements = make_measurements(size=(32, 24), acceleration=4)
    twice = make_network("prior_modl", iterations=60, passes=2).requires_grad_(False)
    twice.load_state_dict(network.state_dict())
    once = network(measurements)
    going_on = make_network("prior_modl", iterations=60).requires_grad_(False)
    going_on.load_state_dict(network.state_dict())
    going_on.start.forward = lambda _: once
    expected = going_on(with_maps_of_image(measurements, once))
    assert (expected - once).abs().max() > 1e-3 * once.abs().max()
    torch.testing.assert_close(twice(measurements), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(twice.train()(measurements), once, rtol=0, atol=0)
