"""Models that are ready to reconstruct: memory, sharing, shipped weights."""

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.model_card import ModelError
from echotrain.models.model_store import SHIPPED, shared_store
from echotrain.models.networks.build import build
from echotrain.models.runtimes import memory
from echotrain.models.runtimes.device import find_device

NAMES = shared_store().names("supervised")


def scan(height=32, width=24):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 4, height, width, dtype=torch.complex64, generator=generator)
    maps /= maps.abs().square().sum(dim=1, keepdim=True).sqrt()
    mask = torch.zeros(1, 1, height, 1, dtype=torch.bool)
    mask[:, :, ::2] = True
    empty = Measurements(torch.zeros_like(maps), mask, maps, 1.0)
    image = torch.ones(1, height, width, dtype=torch.complex64)
    return Measurements(empty.operator()(image), mask, maps, 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_verified_loads_and_reconstructs(name):
    model = shared_store().load(name, device="cpu")
    image = model(scan())
    assert image.shape == (1, 32, 24)
    assert image.isfinite().all()
    assert model.card.parameters == sum(p.numel() for p in shared_store().network(name).parameters())


def test_all_weights_together_are_at_most_24_mib():
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()) <= 24 * 2**20


def test_a_model_is_loaded_once():
    label = shared_store().card("modl").label
    assert shared_store().load("modl", device="cpu") is shared_store().load(label, device="cpu")


def test_what_does_not_fit_the_memory_is_refused_before_it_is_computed(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda _: 2.0**20)
    with pytest.raises(MemoryError, match=r"modl@\d+ would take about .* GiB for 1 slices of 256 x 256"):
        shared_store().load("modl", device="cpu")(scan(256, 256))


def test_memory_grows_with_the_channels():
    small, large = (memory.bytes_per_pixel(build("unet", {"channels": n, "pools": 2})) for n in (4, 8))
    assert 1.8 < large / small < 2.2


def test_a_device_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ModelError, match="got the device 'abacus'; known here: auto, cpu"):
        find_device("abacus")
