"""What every architecture promises by being a ``Network``."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from echotrain.models.networks.build import ARCHITECTURES


@pytest.fixture(params=ARCHITECTURES)
def network(request, make_network):
    return make_network(request.param)


def test_the_image_scales_with_kspace(network, make_measurements):
    small, large = network(make_measurements()), network(make_measurements(scale=1000.0))
    torch.testing.assert_close(large, 1000 * small, rtol=1e-4, atol=1e-4 * float(large.detach().abs().max()))


@pytest.mark.parametrize(("coils", "size"), [(1, (16, 16)), (1, (9, 23)), (5, (31, 8)), (12, (20, 33))])
def test_any_size_and_number_of_coils_gives_a_finite_complex_image(network, make_measurements, coils, size):
    image = network(make_measurements(coils=coils, size=size))
    assert image.shape == (1, *size)
    assert image.dtype == torch.complex64
    assert image.isfinite().all()


def test_a_batch_of_slices_equals_its_slices_one_by_one(network, make_measurements):
    slices = [replace(make_measurements(seed=seed, scale=10.0**seed), noise=0.1) for seed in range(3)]
    fields = ("kspace", "mask", "maps")
    together = replace(slices[0], **{name: torch.cat([getattr(s, name) for s in slices]) for name in fields})
    for image, alone in zip(network(together), slices, strict=True):
        expected = network(alone)[0]
        torch.testing.assert_close(image, expected, rtol=1e-5, atol=1e-5 * float(expected.detach().abs().max()))


def test_the_gradient_reaches_every_parameter(network, make_measurements):
    network(make_measurements(batch=2, size=(32, 32))).abs().sum().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_fully_sampled_kspace_gives_a_finite_image(network, make_measurements):
    measurements = make_measurements(acceleration=1)
    assert network(measurements).isfinite().all()


def test_no_signal_gives_zero_and_a_finite_gradient(network, make_measurements):
    image = network(make_measurements(scale=0.0))
    assert not image.any()
    image.abs().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_blocks_hold_all_parameters_but_scalars_and_small_matrices(network):
    inside = {id(p) for block in network.blocks() for p in network.get_submodule(block.path).parameters()}
    outside = {name: p.shape for name, p in network.named_parameters() if id(p) not in inside}
    assert all(len(shape) <= 2 and shape.numel() <= 64 for shape in outside.values()), outside


def test_each_block_is_called_as_it_says_and_can_be_replaced(network, make_measurements):
    class Recorder(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner, self.shapes = inner, []

        def forward(self, *arguments):
            self.shapes.append([(a.shape, a.dtype) for a in arguments])
            return self.inner(*arguments)

    measurements = make_measurements()
    expected = network(measurements)
    recorders = {}
    for block in network.blocks():
        parent, _, name = block.path.rpartition(".")
        recorders[block] = Recorder(network.get_submodule(block.path))
        setattr(network.get_submodule(parent), name, recorders[block])
    assert torch.equal(network(measurements), expected)
    for block, recorder in recorders.items():
        assert recorder.shapes, block
        for call in recorder.shapes:
            assert tuple(shape[1] for shape, _ in call) == block.channels
            assert all(dtype == torch.float32 for _, dtype in call)
            assert all(shape[-2] % block.multiple == shape[-1] % block.multiple == 0 for shape, _ in call)


def test_it_runs_in_bfloat16_and_channels_last(network, make_measurements):
    measurements = make_measurements(batch=2, size=(32, 40))
    expected = network(measurements)
    with torch.autocast("cpu", torch.bfloat16):
        image = network.to(memory_format=torch.channels_last)(measurements)
        assert image.dtype == torch.complex64
        image.abs().sum().backward()
    assert (image - expected).norm() < 0.05 * expected.norm()
