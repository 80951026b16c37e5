"""Priors that are ready to denoise."""

import datetime as dt

import pytest
import torch

from echotrain.models.model_card import ModelCard, ModelError
from echotrain.models.model_store import ModelStore, shared_store, write_model
from echotrain.models.networks.build import build
from echotrain.models.runtimes import loaded_model
from echotrain.models.runtimes.onnx_runtime import OnnxRuntime
from echotrain.models.trained_range import TrainedRange

OPTIONS = {
    "prior": ("diffusion_prior", {"channels": [4, 8], "blocks": 1, "embedding": 4}),
    "net": ("unet", {"channels": 2, "pools": 1}),
}


@pytest.fixture
def store(tmp_path, monkeypatch):
    for name, (architecture, options) in OPTIONS.items():
        generator = torch.Generator().manual_seed(0)
        shapes = {n: v.shape for n, v in build(architecture, options).state_dict().items()}
        card = ModelCard(
            name=name,
            version=1,
            kind="prior" if name == "prior" else "supervised",
            architecture=architecture,
            options=options,
            trained=TrainedRange(acceleration=(1, 1), matrix=(8, 16), coils=(1, 4), snr=(5, 50), masks=("uniform",)),
            data=(),
            recipe=name,
            seed=0,
            hardware="none",
            steps=0,
            wall_seconds=0.0,
            cpu_seconds=0.0,
            torch="2.13",
            date=dt.date(2026, 1, 1),
            limits="untrained",
        )
        state = {n: torch.randn(shape, generator=generator) / 8 for n, shape in shapes.items()}
        write_model(tmp_path / name, state, card)
    runtimes = {**loaded_model.RUNTIMES, "onnx": OnnxRuntime(tmp_path / "cache")}
    monkeypatch.setattr("echotrain.models.runtimes.loaded_prior.RUNTIMES", runtimes)
    return ModelStore(tmp_path)


def noisy(batch=5, size=(21, 30)):
    return torch.randn(batch, *size, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_an_image_comes_out_the_same_to_the_bit_in_every_batch(store, runtime):
    prior = store.load_prior("prior", device="cpu", runtime=runtime)
    x, sigma = noisy(), torch.tensor([0.1, 0.2, 0.4, 0.8, 1.6])
    together = prior.denoise(x, sigma)
    for n in range(len(x)):
        assert torch.equal(prior.denoise(x[n : n + 1], sigma[n : n + 1])[0], together[n])
    assert torch.equal(prior.denoise(x[1:3], sigma[1:3]), together[1:3])


def test_the_runtimes_agree(store):
    one, other = (store.load_prior("prior", device="cpu", runtime=runtime) for runtime in ("torch", "onnx"))
    x, sigma = noisy(), torch.tensor(0.3)
    torch.testing.assert_close(one.denoise(x, sigma), other.denoise(x, sigma), rtol=1e-4, atol=1e-4)
    assert "CPUExecutionProvider" in other.provider


def test_a_loaded_prior_knows_its_noise_levels_and_is_shared(store):
    prior = store.load_prior("prior", device="cpu", runtime="torch")
    assert prior.sigmas == (0.005, 80.0)
    assert store.load_prior("prior@1", device="cpu", runtime="torch") is prior
    assert prior.pixel_bytes > 0


def test_a_network_is_no_prior_and_a_prior_no_network(store):
    with pytest.raises(ModelError, match="net@1 is of the kind 'supervised', expected 'prior'; of that kind: prior"):
        store.load_prior("net")
    with pytest.raises(ModelError, match="prior@1 is of the kind 'prior', expected 'supervised'; of that kind: net"):
        store.load("prior")


def test_names_can_be_asked_for_by_kind(store):
    assert store.names() == ("net", "prior")
    assert store.names("prior") == ("prior",)


LEFT = {"brain-edm": 0.15, "brain-ve": 0.2}
"""Share of the noise's power that each shipped prior may leave; brain-ve is half the size, and was trained for a sixth
of the steps, most of them at other levels."""


def test_every_shipped_prior_is_tested():
    assert set(shared_store().names("prior")) == LEFT.keys()


@pytest.mark.parametrize("name", LEFT)
def test_a_shipped_prior_is_verified_loads_and_removes_noise(name):
    prior = shared_store().load_prior(name, device="cpu", runtime="torch")
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 48), indexing="ij")
    disc = (rows.square() + columns.square() < 0.7).to(torch.complex64)
    sigma = torch.tensor(0.2)
    noise = 0.2 * 2**0.5 * torch.randn(1, 64, 48, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    error = prior.denoise(disc + noise, sigma) - disc
    assert float(error.abs().square().mean()) < LEFT[name] * float(noise.abs().square().mean())
