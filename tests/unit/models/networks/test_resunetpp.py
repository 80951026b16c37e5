"""ResUNet++ and its parts."""

import pytest
import torch

from echotrain.models.networks.atrous_pyramid import RATES, AtrousPyramid
from echotrain.models.networks.attention_gate import AttentionGate
from echotrain.models.networks.build import build
from echotrain.models.networks.resunetpp_block import ResUNetPlusPlusBlock
from echotrain.models.networks.squeeze_excite import SqueezeExcite


def test_an_untrained_network_gives_the_zero_filled_image(make_measurements):
    measurements = make_measurements()
    torch.testing.assert_close(build("resunetpp", {"channels": 2})(measurements), measurements.zero_filled())


def test_activations_keep_their_variance_through_an_untrained_network():
    torch.manual_seed(0)
    block = ResUNetPlusPlusBlock(16)
    torch.nn.init.normal_(block.last.weight, std=0.25)
    assert 0.2 < block(torch.randn(2, 2, 64, 64)).std() < 5


@pytest.mark.parametrize("part", [SqueezeExcite(6), AttentionGate(3, 6)])
def test_an_untrained_weighting_passes_its_argument_on(part):
    x = torch.randn(2, 6, 4, 8)
    arguments = (x,) if isinstance(part, SqueezeExcite) else (torch.randn(2, 3, 8, 16), x)
    torch.testing.assert_close(part(*arguments), x)


def test_squeeze_and_excite_weights_whole_channels_between_zero_and_twice():
    part = SqueezeExcite(4)
    torch.nn.init.normal_(part.weight[2].weight, std=10.0)
    x = torch.rand(1, 4, 5, 5) + 0.5
    weights = part(x) / x
    torch.testing.assert_close(weights, weights[..., :1, :1].expand_as(weights))
    assert weights.min() >= 0
    assert weights.max() <= 2
    assert weights.std() > 0.1


def test_the_gate_is_steered_by_the_encoder():
    gate = AttentionGate(3, 6)
    torch.nn.init.normal_(gate.weight[1].weight)
    x, g = torch.rand(1, 6, 4, 8), torch.randn(1, 3, 8, 16)
    change = (gate(-g, x) - gate(g, x)).abs()
    assert change.max() > 1e-2
    assert (gate(g, x) <= 2 * x).all()


def test_the_pyramid_sees_as_far_as_its_widest_rate():
    pyramid = AtrousPyramid(1, 1)
    point = torch.zeros(1, 1, 21, 21)
    point[..., 10, 10] = 1
    rows = pyramid(point)[0, 0].detach().abs().sum(dim=1).nonzero().flatten() - 10
    expected = {0} | {sign * rate for rate in RATES for sign in (-1, 1)}
    assert set(rows.tolist()) == expected
