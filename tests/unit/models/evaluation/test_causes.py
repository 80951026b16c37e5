import numpy as np
import pytest
import torch

from echotrain.models.evaluation.causes import CAUSES, ORACLE, cause_cases
from echotrain.models.evaluation.metrics import scores
from echotrain.models.simulation.noisy_kspace import noisy_kspace
from echotrain.models.simulation.random_coils import random_sensitivities


@pytest.fixture
def cases(heads):
    rng = np.random.default_rng(0)
    sensitivities = random_sensitivities(6, (64, 64), rng, 1.8, 0.2)
    image = heads[0] / 255 * np.exp(0.5j * np.sign(np.sin(np.arange(64))))
    _, kspace = noisy_kspace(image.astype(np.complex64), sensitivities, 1000.0, rng)
    return dict(cause_cases(kspace, 2.0, data="head"))


def test_each_cause_has_its_case_of_the_same_lines(cases):
    assert list(cases) == [*CAUSES, ORACLE]
    masks = [case.measurements.mask for case in cases.values()]
    assert all(torch.equal(mask, masks[0]) for mask in masks)
    assert masks[0].sum() == 32


def test_a_phase_changes_no_reference(cases):
    kept = cases["its image and maps, SNR 200"].reference
    for name in ("phase 0", "smooth random phase", "smooth and tissue phase"):
        assert torch.allclose(cases[name].reference, kept, rtol=1e-4, atol=1e-3)
        assert not torch.allclose(cases[name].measurements.kspace, cases["SNR 40"].measurements.kspace, atol=1)


def test_less_signal_is_the_same_image_at_less_scale(cases):
    high, low = cases["its image and maps, SNR 200"].reference, cases["SNR 40"].reference
    assert torch.allclose(low * 5, high, rtol=1e-4)


def test_image_and_maps_of_the_scan_make_the_scan_again(cases):
    again, itself = cases["its image and maps, SNR 200"], cases["the scan itself"]
    assert scores(again.reference, itself.reference).nrmse.item() < 0.02
    sampled = itself.measurements.mask.expand_as(itself.measurements.kspace)
    measured, made = (case.measurements.kspace[sampled] for case in (itself, again))
    overlap = torch.vdot(measured, made).abs() / (measured.norm() * made.norm())
    assert overlap.item() > 0.99
