"""The U-Net, and the block that other networks take from it."""

import torch

from echotrain.models.networks.build import build
from echotrain.models.networks.unet_block import UNetBlock


def test_an_untrained_unet_gives_the_zero_filled_image(make_measurements):
    measurements = make_measurements()
    image = build("unet", {"channels": 4, "pools": 2})(measurements)
    torch.testing.assert_close(image, measurements.zero_filled())


def test_the_parameters_of_the_paper_make_about_eight_million():
    network = build("unet", {})
    assert abs(sum(p.numel() for p in network.parameters()) - 7.76e6) < 0.02e6


def test_activations_keep_their_variance_through_an_untrained_block():
    torch.manual_seed(0)
    block = UNetBlock(2, 2, 32, 4)
    torch.nn.init.normal_(block.last.weight, std=32**-0.5)
    out = block(torch.randn(2, 2, 64, 64))
    assert 0.2 < out.std() < 5


def test_a_block_maps_any_channels_to_any():
    assert UNetBlock(3, 5, 4, 2)(torch.zeros(2, 3, 8, 12)).shape == (2, 5, 8, 12)
