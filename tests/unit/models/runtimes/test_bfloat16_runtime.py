"""PyTorch in bfloat16 as a runtime."""

import copy

import pytest
import torch

from echotrain.models.model_card import ModelError
from echotrain.models.networks.diffusion_prior import DiffusionPrior
from echotrain.models.runtimes.bfloat16_runtime import BFloat16Runtime

CPU = torch.device("cpu")


@pytest.fixture
def prior():
    """A small prior whose last layer is not zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = DiffusionPrior(channels=(8, 16), blocks=1, embedding=8).eval().requires_grad_(False)
        network.unet.last.weight.normal_(std=0.1)
    return network


def test_a_prior_differs_by_little_of_the_noise(prior, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    deployed = BFloat16Runtime()(copy.deepcopy(prior), device=CPU, weights="")
    assert deployed.provider.endswith("in bfloat16 on cpu")
    x = torch.randn(2, 21, 18, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    for sigma in (0.01, 0.3):
        level = torch.tensor(sigma)
        expected, found = prior.denoise(x, level), deployed.network.denoise(x, level)
        difference = (found - expected).abs().square().mean().sqrt()
        assert found.dtype == torch.complex64
        assert 0 < difference < 0.05 * (expected - x).abs().square().mean().sqrt()


def test_a_processor_that_cannot_is_refused_with_what_can_be_done(prior, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512": True, "avx512_bf16": False})
    with pytest.raises(ModelError, match=r'no instructions for it .*; runtime = "onnx" needs none'):
        BFloat16Runtime()(prior, device=CPU, weights="")
