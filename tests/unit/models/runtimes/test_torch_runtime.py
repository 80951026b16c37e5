"""PyTorch as a runtime."""

import copy

import pytest
import torch
from torch import nn

from echotrain.models.measurements import Measurements
from echotrain.models.model_card import ModelError
from echotrain.models.networks.network import Block, Network, as_channels, as_complex
from echotrain.models.runtimes.torch_runtime import TorchRuntime

CPU = torch.device("cpu")


class Tiny(Network):
    """One convolution of the zero-filled image."""

    def __init__(self):
        super().__init__()
        self.block = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, measurements):
        return as_complex(self.block(as_channels(measurements.zero_filled())))

    def blocks(self):
        return (Block("block", (2,), 1),)


def measurements(batch, height, width):
    kspace = torch.randn(batch, 1, height, width, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    return Measurements(kspace, torch.ones(batch, 1, height, 1, dtype=torch.bool), torch.ones_like(kspace))


def test_eager_is_the_network_itself():
    network = Tiny().eval()
    deployed = TorchRuntime(compiled=False)(network, device=CPU, weights="")
    assert deployed.network is network
    assert deployed.provider == f"PyTorch {torch.__version__} on cpu"


@pytest.mark.slow
def test_compiled_computes_the_same_at_any_size():
    network = Tiny().eval().requires_grad_(False)
    try:
        deployed = TorchRuntime(compiled=True)(copy.deepcopy(network), device=CPU, weights="")
    except ModelError as error:
        if "compiler" in str(error).partition(";")[0].lower():
            pytest.skip(f"no compiler here: {error}")
        raise
    assert "compiled" in deployed.provider
    for size in ((1, 8, 12), (3, 9, 7)):
        scan = measurements(*size)
        with torch.inference_mode():
            torch.testing.assert_close(deployed.network(scan), network(scan), rtol=1e-5, atol=1e-5)


def test_what_cannot_be_compiled_is_refused_with_what_can_be_done(monkeypatch):
    def compile_nothing(module, **_):
        module.forward = lambda *_: 1 / 0

    monkeypatch.setattr(nn.Module, "compile", compile_nothing)
    with pytest.raises(ModelError, match=r'cannot compile block of Tiny on cpu: .*; runtime = "torch" needs no'):
        TorchRuntime(compiled=True)(Tiny(), device=CPU, weights="")
