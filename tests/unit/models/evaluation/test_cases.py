import shutil
import subprocess

import numpy as np
import pytest
import torch

from echotrain.clients.fully_sampled import fully_sampled_kspace
from echotrain.models.evaluation.case import undersampled
from echotrain.models.evaluation.metrics import scores
from echotrain.models.evaluation.real_case import real_case, reference_image
from echotrain.models.evaluation.simulated_cases import COILS, SNR, simulated_case, simulated_cases
from echotrain.models.simulation.noisy_kspace import noisy_kspace
from echotrain.models.simulation.random_coils import random_sensitivities


def test_simulated_cases_are_the_same_however_many_are_asked_for(heads):
    both = list(simulated_cases(heads, 3.0))
    first = next(iter(simulated_cases(heads[:1], 3.0)))
    assert torch.equal(first.measurements.kspace, both[0].measurements.kspace)
    assert not torch.equal(both[0].measurements.mask, both[1].measurements.mask)
    assert both[0].measurements.kspace.shape == (1, COILS, 64, 64)


def test_only_the_lines_differ_from_one_acceleration_to_another(heads):
    low, high = (next(iter(simulated_cases(heads, r))) for r in (2.0, 4.0))
    assert torch.equal(low.reference, high.reference)
    common = low.measurements.mask & high.measurements.mask
    assert torch.equal(low.measurements.kspace * common, high.measurements.kspace * common)
    assert low.measurements.mask.sum() == 32
    assert high.measurements.mask.sum() == 16


def test_the_reference_of_a_simulated_case_has_the_stated_snr(heads):
    reference = next(iter(simulated_cases(heads, 2.0))).reference[0]
    assert reference[reference > 0.1 * reference.max()].mean().item() == pytest.approx(SNR, rel=0.1)


def test_a_fully_sampled_case_is_its_own_reconstruction(heads):
    rng = np.random.default_rng(0)
    sensitivities = random_sensitivities(6, (64, 64), rng, 1.8, 0.2)
    _, kspace = noisy_kspace((heads[0] / 255).astype(np.complex64), sensitivities, 200.0, rng)
    case = real_case(kspace, 1.0, data="head")
    assert case.measurements.mask.all()
    found = scores(case.measurements.zero_filled(), case.reference)
    assert found.psnr.item() > 60
    assert case.reference.shape == (1, 64, 64)


def test_a_mask_without_a_centre_is_refused(heads):
    lines = np.arange(64) % 2 == 0
    with pytest.raises(ValueError, match="acquire more calibration lines"):
        undersampled(np.repeat(heads[:1], 3, axis=0).astype(np.complex64), lines)


@pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")
def test_the_reference_of_the_real_brain_is_that_of_bart(data, tmp_path):
    kspace = fully_sampled_kspace(data / "raw" / "brain_t1_7ch.h5")
    kspace /= np.abs(kspace).max()
    full = kspace.transpose(2, 1, 0)[:, :, None, :]
    (tmp_path / "full.hdr").write_text(f"# Dimensions\n{' '.join(map(str, full.shape))}\n")
    full.ravel(order="F").tofile(tmp_path / "full.cfl")
    subprocess.run(["bart", "ecalib", "-m1", "full", "maps"], cwd=tmp_path, check=True, capture_output=True)
    maps = np.fromfile(tmp_path / "maps.cfl", np.complex64).reshape(full.shape, order="F")[:, :, 0].transpose(2, 1, 0)
    images = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, axes=(1, 2)), norm="ortho"), axes=(1, 2))
    reference = torch.from_numpy((maps.conj() * images).sum(axis=0))
    found = scores(reference_image(kspace)[None], reference[None])
    assert found.psnr.item() > 50
    assert found.nrmse.item() < 0.02


def test_a_slice_by_its_number_is_the_one_among_all(heads):
    second = list(simulated_cases(heads, 3.0))[1]
    alone = simulated_case(heads[1], 1, 3.0)
    assert alone.number == second.number == 1
    assert torch.equal(alone.measurements.kspace, second.measurements.kspace)
    assert torch.equal(alone.measurements.mask, second.measurements.mask)
