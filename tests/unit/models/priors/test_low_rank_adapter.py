import pytest
import torch
from torch import nn

from echotrain.models.networks.diffusion_prior import DiffusionPrior
from echotrain.models.priors.low_rank_adapter import with_low_rank_adapters
from echotrain.models.samplers.noise import batch_noise, item_noise


def noise_of(seed):
    return batch_noise(torch.Generator().manual_seed(seed))


@pytest.fixture
def network():
    """A learnt prior with weights that are not zero."""
    torch.manual_seed(0)
    network = DiffusionPrior(channels=(8, 12), blocks=1, embedding=8)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return network


@pytest.fixture
def images():
    return torch.randn(3, 8, 12, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))


SIGMA = torch.tensor(0.5)


def test_an_adapter_changes_nothing_at_first(network, images):
    adapted = with_low_rank_adapters(network, 3, noise_of(0))
    assert torch.equal(adapted.network.denoise(images, SIGMA), network.denoise(images, SIGMA))


@pytest.mark.parametrize(
    ("layer", "shape", "dense"),
    [
        (nn.Linear(5, 7), (2, 5), lambda b, a: b @ a),
        (nn.Conv2d(5, 7, 3, stride=2, padding=1), (2, 5, 8, 9), lambda b, a: torch.einsum("or,riyx->oiyx", b, a)),
        (nn.ConvTranspose2d(5, 7, 2, stride=2), (2, 5, 4, 3), lambda b, a: torch.einsum("ri,royx->ioyx", a, b)),
    ],
)
def test_each_item_sees_the_weights_plus_a_product_of_its_own_factors(layer, shape, dense):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    adapted = with_low_rank_adapters(nn.Sequential(layer), 2, noise_of(1))
    down, up = adapted.parameters
    with torch.no_grad():
        up.copy_(noise_of(2)(up))
    output = adapted.network(x)
    for item in range(2):
        weight = (layer.weight + dense(up[item], down[item])).detach()
        expected = torch.func.functional_call(layer, {"weight": weight}, x[item : item + 1])
        torch.testing.assert_close(output[item : item + 1], expected)


def test_a_product_has_the_rank_that_its_layer_allows():
    adapted = with_low_rank_adapters(nn.Sequential(nn.Linear(9, 8), nn.Linear(8, 2)), 1, noise_of(0), rank=3)
    assert [tuple(factor.shape) for factor in adapted.parameters] == [(1, 3, 9), (1, 8, 3), (1, 2, 8), (1, 2, 2)]


def test_learning_leaves_the_network_unchanged_to_the_bit(network, images):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    output = network.denoise(images, SIGMA)
    adapted = with_low_rank_adapters(network, 3, noise_of(0))
    optimiser = torch.optim.Adam(adapted.parameters, lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        adapted.network.denoise(images, SIGMA).abs().sum().backward()
        optimiser.step()
    assert not torch.allclose(adapted.network.denoise(images, SIGMA), output)
    assert torch.equal(network.denoise(images, SIGMA), output)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(weight.grad is None and weight.requires_grad for weight in network.parameters())
    assert not any(layer._forward_hooks for layer in network.modules())


def test_the_weights_take_no_second_place_in_memory(network):
    adapted = with_low_rank_adapters(network, 1, noise_of(0))
    ours, theirs = network.state_dict(), adapted.network.state_dict()
    assert all(ours[name].data_ptr() == theirs[name].data_ptr() for name in ours)


def test_an_item_adapts_alike_whatever_is_beside_it(network, images):
    def learn(chosen):
        generators = [torch.Generator().manual_seed(item) for item in chosen]
        adapted = with_low_rank_adapters(network, len(chosen), item_noise(generators))
        optimiser = torch.optim.Adam(adapted.parameters, lr=0.01)
        for _ in range(3):
            optimiser.zero_grad()
            adapted.network.denoise(images[chosen], SIGMA).abs().square().sum().backward()
            optimiser.step()
        return adapted.network.denoise(images[chosen], SIGMA)

    torch.testing.assert_close(learn([0, 1, 2])[1], learn([1])[0], rtol=1e-4, atol=1e-5)
