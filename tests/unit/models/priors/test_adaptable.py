import pytest
import torch
from torch import nn

from echotrain.models.networks.diffusion_prior import DiffusionPrior
from echotrain.models.priors.adaptable import network_of, with_network
from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.priors.parametrisations import VarianceExploding


class Zero(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x, sigma):
        return self.weight * x


def test_a_module_that_is_a_prior_is_its_own_network():
    prior, other = DiffusionPrior(channels=(4,)), DiffusionPrior(channels=(4,))
    assert network_of(prior) is prior
    assert with_network(prior, other) is other


def test_the_network_of_a_view_is_exchanged_and_the_view_stays():
    prior = VarianceExploding(network=nn.Conv1d(1, 1, 1), predicts="epsilon", sigmas=(0.01, 10))
    other = with_network(prior, Zero())
    x = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    assert isinstance(network_of(other), Zero)
    assert torch.equal(other.denoise(x, torch.tensor(0.5)), x)
    assert other.sigmas == prior.sigmas


@pytest.mark.parametrize(
    "prior",
    [
        GaussianPrior(torch.zeros(2), torch.eye(2)),
        VarianceExploding(network=torch.add, predicts="x0", sigmas=(0, 1)),
        VarianceExploding(network=nn.Identity(), predicts="x0", sigmas=(0, 1)),
    ],
)
def test_a_prior_without_weights_cannot_be_adapted(prior):
    with pytest.raises(
        TypeError, match=rf"got {type(prior).__name__}, expected a prior that a torch module with weights computes"
    ):
        network_of(prior)
