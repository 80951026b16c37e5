"""Networks by name and plain options."""

import pytest

from echotrain.models.networks.build import build
from echotrain.models.networks.unet import UNet


def test_a_network_is_built_from_its_name_and_options():
    network = build("unet", {"channels": 2, "pools": 1})
    assert isinstance(network, UNet)
    assert network.pools == 1


def test_an_unknown_architecture_names_the_known_ones():
    with pytest.raises(ValueError, match=r"got the architecture 'transformer', known: unet, .*varnet"):
        build("transformer", {})


def test_an_unknown_option_names_the_known_ones():
    with pytest.raises(ValueError, match="unet: got the option 'depth', known: channels, pools"):
        build("unet", {"depth": 3})


@pytest.mark.parametrize("value", ["8", 8.5, True, 0, None, [8]])
def test_a_value_that_an_option_does_not_take_is_refused(value):
    with pytest.raises(ValueError, match=r"unet: got channels = .*, expected: Input should be"):
        build("unet", {"channels": value})


def test_a_choice_names_what_there_is_to_choose():
    with pytest.raises(ValueError, match="got maps = 'none', expected: Input should be 'given' or 'learnt'"):
        build("varnet", {"maps": "none"})
