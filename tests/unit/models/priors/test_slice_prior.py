import pytest
import torch

from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.priors.slice_prior import TOGETHER, SlicePrior


@pytest.mark.parametrize("sigma", [torch.tensor(0.7), torch.tensor([0.7, 0.2])])
def test_a_prior_of_slices_denoises_each_slice_of_each_stack(sigma):
    slices = GaussianPrior(torch.arange(6.0), torch.diag(torch.arange(1.0, 7.0)))
    x = torch.randn(2, TOGETHER + 1, 2, 3, generator=torch.Generator().manual_seed(0))
    denoised = SlicePrior(slices).denoise(x, sigma)
    for item in range(2):
        torch.testing.assert_close(denoised[item], slices.denoise(x[item], sigma.expand(2)[item]))


def test_a_stack_does_not_take_more_of_a_network_than_a_few_slices():
    sizes = []

    class Recording:
        sigmas = (0.0, 1.0)

        def denoise(self, x, sigma):
            sizes.append(len(x))
            return x

    x = torch.zeros(3, TOGETHER - 1, 2, 2)
    assert torch.equal(SlicePrior(Recording()).denoise(x, torch.tensor(0.5)), x)
    assert max(sizes) == TOGETHER
    assert sum(sizes) == 3 * (TOGETHER - 1)
