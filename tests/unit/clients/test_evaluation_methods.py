"""Methods by the names of a command line."""

import dataclasses

import pytest
import torch

from echotrain.clients.evaluation_methods import (
    DIFFUSION,
    find_methods,
    known_methods,
    shipped_ensemble,
    shipped_sampler,
)
from echotrain.clients.sampler_text import parse_sampler
from echotrain.engine.chain_config import SHIPPED as CHAINS
from echotrain.engine.chain_config import parse_chain
from echotrain.engine.errors import ConfigurationError
from echotrain.models.defaults import DEFAULT_PRIOR, own_name
from echotrain.models.evaluation.case import Case
from echotrain.models.evaluation.evaluate import evaluate
from echotrain.models.measurements import Measurements
from echotrain.models.model_store import shared_store
from echotrain.models.samplers.build import build_sampler

CPU = torch.device("cpu")


@pytest.fixture
def case():
    """Return a disc in 32 x 32 pixels, by one coil, half of its lines."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
    image = (x**2 + y**2 < 0.5).float()[None]
    kspace = torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(image, dim=(1, 2)), norm="ortho"), dim=(1, 2))
    mask = torch.ones(1, 1, 32, 1, dtype=torch.bool)
    mask[:, :, :8:2] = False
    maps = torch.ones(1, 1, 32, 32, dtype=torch.complex64)
    return Case("disc", 2.0, "uniform", Measurements(kspace[:, None] * mask, mask, maps), image)


def test_all_methods_are_the_classical_ones_the_networks_and_diffusion():
    known = known_methods(shared_store())
    assert {"zero-filled", "l1-wavelet", "admm-net", "varnet", DIFFUSION} < set(known)
    assert "sure-denoiser" not in known  # trained for R = 1
    assert not {"brain-edm", "brain-ve"} & set(known)


def test_diffusion_is_what_the_shipped_chain_says():
    shipped = shipped_ensemble()
    text = (CHAINS / "diffusion-ensemble.toml").read_text(encoding="utf-8")
    (fields,) = (dict(fields) for gadget, fields in parse_chain(text).steps if gadget == "reconstruct_diffusion")
    assert {name: getattr(shipped, name) for name in ("sampler", "steps", "samples")} == {
        name: fields[name] for name in ("sampler", "steps", "samples")
    }
    (method,) = find_methods([DIFFUSION], shared_store(), "cpu")
    assert method.names == ("diffusion", "diffusion-sample")
    prior, start = (shared_store().card(own_name(name)) for name in (fields["prior"], fields["start_from"]))
    assert method.cards == (prior, start)
    assert prior.name == DEFAULT_PRIOR
    assert method.settings.startswith(f"{fields['sampler']}-{fields['steps']}x{fields['samples']}-")
    defaults = build_sampler(fields["sampler"], {})
    for name, value in fields["settings"].items():
        assert (f"-{name}_{value}".lower() in method.settings) == (value != getattr(defaults, name))


def test_a_sampler_text_draws_as_many_samples_by_the_same_prior():
    (method,) = find_methods(["dds:steps=2,eta=0.5"], shared_store(), "cpu")
    assert method.settings == f"dds-2x{shipped_ensemble().samples}-eta_0.5"
    assert [card.name for card in method.cards] == [DEFAULT_PRIOR]


def test_the_mean_of_samples_is_the_same_at_every_call_and_better_than_one(case):
    (method,) = find_methods(["dds:steps=2,eta=0.5,hot=true,sigma_max=0.5"], shared_store(), "cpu")
    (mean, one), images = evaluate(method, case, CPU)
    again = evaluate(method, case, CPU)[1]
    assert all(torch.equal(images[name], again[name]) for name in method.names)
    assert mean.psnr > one.psnr
    assert mean.out_of_range == "matrix 32 x 32, trained for " + "{:g} to {:g}".format(*method.cards[0].trained.matrix)
    assert one.seconds is None


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["difusion"], "no method is named 'difusion'; did you mean 'diffusion'"),
        (["tv", "tv"], "methods are named more than once: tv"),
        (["dds:etta=1.0"], "did you mean 'eta'"),
        (["dds:sigma_max=500.0"], "knows noise from"),
        (["dds:start_from=tv"], "set hot to true"),
        (["brain-edm"], "no method is named 'brain-edm'"),
    ],
)
def test_what_is_no_method_is_refused(names, says):
    with pytest.raises(ConfigurationError, match=says):
        find_methods(names, shared_store(), "cpu")


def test_the_shipped_sampler_is_written_as_a_command_line_takes_it():
    shipped, written = shipped_ensemble(), parse_sampler(shipped_sampler())
    assert written.name == shipped.sampler
    assert written.start == own_name(shipped.start_from)
    assert dataclasses.asdict(written.sampler).items() >= shipped.settings.items()
