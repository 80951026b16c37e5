"""The invertible recurrent inference machine."""

from dataclasses import replace

import pytest
import torch

from echotrain.models.networks.build import build
from echotrain.models.networks.invertible import run_forward, run_reverse


@pytest.mark.parametrize("shared", [False, True])
def test_an_untrained_network_returns_the_zero_filled_image(make_measurements, shared):
    measurements = make_measurements()
    image = build("irim", {"steps": 3, "channels": 6, "hidden": 4, "shared": shared})(measurements)
    expected = measurements.zero_filled()
    torch.testing.assert_close(image, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("shared", [False, True])
def test_eight_steps_can_be_reversed(make_measurements, shared):
    torch.manual_seed(0)
    network = build("irim", {"steps": 8, "channels": 16, "hidden": 8, "strides": [1, 2, 4], "shared": shared})
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    measurements = make_measurements(size=(16, 24))
    steps = network._sequence(measurements.zero_filled(), measurements, (slice(None), slice(None)))
    state = tuple(torch.randn(2, 1, 8, 16, 24, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        after = run_forward(steps, state)
        before = run_reverse(steps, after)
    assert (after[0] - state[0]).norm() > 0.5 * state[0].norm()
    for half, expected in zip(before, state, strict=True):
        torch.testing.assert_close(half, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("shared", [False, True])
def test_memory_free_gradients_of_the_network_equal_those_of_autograd(make_network, make_measurements, shared):
    def gradients(*, memory_free):
        torch.manual_seed(0)
        network = make_network("irim", steps=4, channels=8, shared=shared, memory_free=memory_free)
        measurements = make_measurements()
        kspace, maps = (getattr(measurements, name).clone().requires_grad_() for name in ("kspace", "maps"))
        network(replace(measurements, kspace=kspace, maps=maps)).abs().square().sum().backward()
        return [kspace.grad, maps.grad, *(parameter.grad for parameter in network.parameters())]

    for one, other in zip(gradients(memory_free=True), gradients(memory_free=False), strict=True):
        assert (one - other).norm() < 1e-4 * other.norm()


def test_what_is_kept_for_the_gradient_does_not_grow_with_the_number_of_steps(make_network, make_measurements):
    measurements = make_measurements(size=(32, 32))

    def kept(steps, *, memory_free):
        network = make_network("irim", steps=steps, channels=8, shared=True, memory_free=memory_free)
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.nbytes) or t, lambda t: t):
            network(measurements)
        return sum(sizes)

    assert kept(16, memory_free=True) == kept(1, memory_free=True)
    assert kept(16, memory_free=False) > 10 * kept(1, memory_free=False)


def test_the_first_step_adds_the_gradient_of_the_likelihood(make_network, make_measurements):
    network = make_network("irim", steps=1, channels=6, strides=[4])
    measurements = make_measurements()
    x = torch.randn(1, 17, 26, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    inside = (slice(1, 18), slice(1, 27))
    first = torch.zeros(1, 3, 20, 28)  # padded to multiples of the largest stride
    first[:, :2, *inside] = torch.stack((x.real, x.imag), dim=1)
    descent = network._sequence(measurements.zero_filled(), measurements, inside)[0]
    _, second = descent.forward((first, torch.zeros_like(first)))
    operator = measurements.operator()
    expected = operator.adjoint(operator(x) - measurements.kspace)
    torch.testing.assert_close(torch.complex(second[:, 0, *inside], second[:, 1, *inside]), expected)
    assert second.count_nonzero() <= 2 * expected.numel()
