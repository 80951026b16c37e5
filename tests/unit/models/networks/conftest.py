"""Measurements for networks, and weights that make every part of an untrained network count."""

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.networks.build import build

SMALL = {
    "unet": {"channels": 4, "pools": 2},
    "resunetpp": {"channels": 4},
    "varnet": {"cascades": 2, "channels": 4, "pools": 2},
    "irim": {"steps": 2, "channels": 8, "hidden": 4, "strides": [1, 2]},
    "modl": {"unrolls": 2, "channels": 4, "pools": 2},
    "prior_modl": {
        "unrolls": 2,
        "channels": [4, 8],
        "blocks": 1,
        "embedding": 4,
        "start_stages": 1,
        "start_channels": 4,
    },
    "admm_net": {"stages": 2, "channels": 4, "pools": 2},
    "sure_denoiser": {"channels": 4, "pools": 2},
    "diffusion_prior": {"channels": [4, 8], "blocks": 1, "embedding": 4},
}
"""Options that make each architecture small enough for tests."""


@pytest.fixture
def make_measurements():
    """Return a function that makes random measurements with a calibration region, consistent with an image."""

    def make(batch=1, coils=3, size=(17, 26), acceleration=3, *, scale=1.0, seed=0):
        generator = torch.Generator().manual_seed(seed)

        def random(*shape):
            return torch.randn(*shape, dtype=torch.complex64, generator=generator)

        maps = random(batch, coils, *size)
        maps /= maps.abs().square().sum(dim=1, keepdim=True).sqrt()
        mask = torch.zeros(batch, 1, size[0], 1, dtype=torch.bool)
        mask[:, :, ::acceleration] = True
        mask[:, :, size[0] // 2 - 3 : size[0] // 2 + 3] = True
        empty = Measurements(kspace=torch.zeros_like(maps), mask=mask, maps=maps)
        kspace = scale * empty.operator()(random(batch, *size))
        return Measurements(kspace=kspace, mask=mask, maps=maps, noise=0.1 * scale)

    return make


@pytest.fixture
def make_network():
    """Return a function that builds a small network with random weights, those that begin as zero included."""

    def make(architecture, **options):
        network = build(architecture, SMALL[architecture] | options)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim < 2 or not parameter.any():
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        return network.eval()

    return make
