"""ONNX Runtime in the place of a network's blocks."""

import copy

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.model_card import ModelError
from echotrain.models.networks.build import build
from echotrain.models.runtimes import onnx_export
from echotrain.models.runtimes.onnx_block import OnnxBlock
from echotrain.models.runtimes.onnx_cache import exported_blocks
from echotrain.models.runtimes.onnx_runtime import OnnxRuntime

CPU = torch.device("cpu")
SMALL = {
    "unet": {"channels": 4, "pools": 2},
    "resunetpp": {"channels": 4},
    "varnet": {"cascades": 2, "channels": 4, "pools": 2},
    "modl": {"unrolls": 2, "channels": 4, "pools": 2},
    "prior_modl": {
        "unrolls": 2,
        "channels": [4, 8],
        "blocks": 1,
        "embedding": 4,
        "start_stages": 1,
        "start_channels": 4,
    },
    "irim": {"steps": 2, "channels": 8, "hidden": 4, "strides": [1, 2]},
    "diffusion_prior": {"channels": [4, 8], "blocks": 1, "embedding": 4, "heads": 2},
}


def network_of(architecture, seed=0):
    torch.manual_seed(seed)
    network = build(architecture, SMALL[architecture]).eval().requires_grad_(False)
    for parameter in network.parameters():
        if not parameter.any():
            parameter.normal_(std=0.1)
    return network


def measurements(batch, height, width):
    generator = torch.Generator().manual_seed(batch)
    maps = torch.randn(batch, 3, height, width, dtype=torch.complex64, generator=generator)
    maps /= maps.abs().square().sum(dim=1, keepdim=True).sqrt()
    mask = torch.zeros(batch, 1, height, 1, dtype=torch.bool)
    mask[:, :, ::2] = True
    image = torch.randn(batch, height, width, dtype=torch.complex64, generator=generator)
    empty = Measurements(torch.zeros_like(maps), mask, maps)
    return Measurements(empty.operator()(image), mask, maps, noise=0.1)


@pytest.mark.parametrize("architecture", SMALL)
def test_every_network_gives_the_same_image_as_in_torch_at_any_size_and_batch(architecture, tmp_path):
    network = network_of(architecture)
    deployed = OnnxRuntime(tmp_path)(copy.deepcopy(network), device=CPU, weights="a" * 64, threads=1)
    assert "CPUExecutionProvider" in deployed.provider
    for size in ((1, 16, 24), (3, 21, 18), (2, 40, 33)):
        scan = measurements(*size)
        expected = network(scan)
        error = (deployed.network(scan) - expected).abs().max() / expected.abs().max()
        assert error < 1e-4


@pytest.mark.parametrize("threads", [1, 2])
def test_an_image_comes_out_the_same_to_the_bit_whatever_it_is_computed_with(threads, tmp_path):
    block = OnnxRuntime(tmp_path)(network_of("unet"), device=CPU, weights="a" * 64, threads=threads).network.unet
    images = torch.randn(5, 2, 16, 24, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([block(image[None]) for image in images])
    for batch in (2, 3, 5):
        assert torch.equal(block(images[:batch]), alone[:batch])


def test_blocks_are_exported_once_for_the_same_weights(tmp_path, monkeypatch):
    network = network_of("unet")
    first = exported_blocks(network, "a" * 64, tmp_path)
    monkeypatch.setattr("echotrain.models.runtimes.onnx_cache.export_blocks", lambda _: pytest.fail("exported again"))
    assert exported_blocks(network, "a" * 64, tmp_path) == first


def test_other_weights_are_exported_anew(tmp_path):
    one, other = (
        exported_blocks(network_of("unet", seed), weights * 64, tmp_path) for seed, weights in ((0, "a"), (1, "b"))
    )
    assert one != other


def test_an_export_that_computes_something_else_is_refused(monkeypatch):
    real = onnx_export.disagreement
    monkeypatch.setattr(onnx_export, "disagreement", lambda *args: real(*args) + 1e-3)
    with pytest.raises(ModelError, match="computes unet of UNet differently from torch"):
        onnx_export.export_blocks(network_of("unet"))


def test_a_damaged_export_is_refused():
    with pytest.raises(ModelError, match="cannot load a block"):
        OnnxBlock(b"not a model", CPU)
