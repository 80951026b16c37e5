from types import SimpleNamespace

import pytest
import torch
from torch import nn

from echotrain.models.priors.adaptable import network_of
from echotrain.models.priors.gaussian import GaussianPrior


def test_a_prior_that_is_a_module_is_its_own_network():
    module = nn.Identity()
    assert network_of(module) is module
    assert network_of(SimpleNamespace(network=module)) is module


def test_an_exact_prior_has_no_weights_to_adapt():
    with pytest.raises(TypeError, match="got GaussianPrior, expected a prior that a torch module computes"):
        network_of(GaussianPrior(torch.zeros(2), torch.eye(2)))
