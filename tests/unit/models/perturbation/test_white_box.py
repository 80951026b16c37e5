"""What attacks find on the shipped models."""

import pytest
import torch

from echotrain.models.model_card import ModelError
from echotrain.models.model_store import shared_store
from echotrain.models.perturbation.white_box import white_box
from echotrain.models.perturbation.worst_case import perturbed, worst_case
from echotrain.models.runtimes import memory


@pytest.mark.parametrize("name", ["admm-net", "unet-r8", "brain-edm", "cg-sense"])
def test_the_white_box_is_worse_than_noise(make_scan, seeded, name):
    scan = make_scan(size=(32, 24), acceleration=4)
    reconstruct = white_box(name, shared_store(), device="cpu", steps=2, samples=1)
    attack = worst_case(reconstruct, scan, epsilon=0.01, iterations=2, generator=seeded())
    assert float(attack.gain[0]) > 1.2 * float(attack.begun[0])
    with torch.no_grad():
        change = reconstruct(perturbed(scan, attack.delta)) - reconstruct(scan)
    assert torch.equal(change, attack.change)


def test_a_perturbation_of_one_reconstruction_can_be_given_to_another(make_scan, seeded):
    scan = make_scan(size=(32, 24), acceleration=4)
    surrogate = white_box("cg-sense", shared_store(), device="cpu")
    delta = worst_case(surrogate, scan, epsilon=0.05, iterations=3, generator=seeded()).delta
    other = shared_store().load("unet-r8", device="cpu")
    assert not torch.equal(other(perturbed(scan, delta)), other(scan))


def test_a_loaded_model_is_refused_by_the_name_of_its_twin_with_gradients(make_scan, seeded):
    loaded = shared_store().load("unet-r8", device="cpu")
    with pytest.raises(ValueError, match=r"unet-r8@\d+ computes without gradients.*white_box\('unet-r8'\)"):
        worst_case(loaded, make_scan(size=(16, 16)), epsilon=0.01, iterations=1, generator=seeded())


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ModelError, match=r"admn-net.*did you mean 'admm-net'.*without a model: cg-sense, zero-filled"):
        white_box("admn-net", shared_store())


def test_slices_whose_gradient_would_not_fit_the_memory_are_refused(make_scan, seeded, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda _device: 1e5)
    reconstruct = white_box("unet-r8", shared_store(), device="cpu")
    with pytest.raises(MemoryError, match=r"the gradient of unet-r8@\d+ would take about"):
        worst_case(reconstruct, make_scan(size=(16, 16)), epsilon=0.01, iterations=1, generator=seeded())
