import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from echotrain.models.uncertainty.interval_scores import rank_correlation
from echotrain.models.uncertainty.pooled import pooled_deviation


@pytest.mark.parametrize("shape", [(31, 20), (2, 3, 7, 40), (5, 4)])
def test_variances_are_averaged_as_scipy_does_it(shape):
    deviation = np.random.default_rng(0).exponential(size=shape)
    widths = (0,) * (len(shape) - 2) + (1.5, 1.5)
    expected = np.sqrt(gaussian_filter(deviation**2, widths, mode="nearest", radius=[round(3 * w) for w in widths]))
    np.testing.assert_allclose(pooled_deviation(torch.from_numpy(deviation)).numpy(), expected, rtol=1e-10)


def test_an_even_deviation_stays_as_it_is():
    torch.testing.assert_close(pooled_deviation(torch.full((12, 9), 3.0)), torch.full((12, 9), 3.0))


def test_where_errors_vary_smoothly_the_pooled_deviation_of_few_samples_follows_them_better():
    generator = torch.Generator().manual_seed(0)
    true = 1 + 0.9 * torch.sin(torch.arange(96) / 8)[:, None] * torch.cos(torch.arange(96) / 8)
    few = (true * torch.randn(8, 96, 96, generator=generator)).std(dim=0)
    own, pooled = (
        rank_correlation(d.double().flatten().numpy(), true.flatten().numpy()) for d in (few, pooled_deviation(few))
    )
    assert own < 0.9
    assert pooled > 0.95
