import numpy as np
import pytest
import torch

from echotrain.models.evaluation.error_spectrum import BANDS, spectral_errors


def cosine(frequency, n=64):
    return torch.cos(2 * np.pi * frequency * torch.arange(n, dtype=torch.float64)).expand(n, n)


def test_an_error_at_one_frequency_is_found_in_its_band_alone():
    bands = [3 / 64, 5 / 64, 10 / 64, 20 / 64, 30 / 64]
    reference = 10 + sum(cosine(f) for f in bands)
    image = reference - 0.5 * cosine(bands[2])
    found = spectral_errors(image[None], reference[None])[0]
    assert found.shape == (len(BANDS),)
    assert found[2].item() == pytest.approx(0.25, abs=1e-3)
    assert found[[0, 1, 3, 4]].max().item() < 1e-3


def test_a_missing_band_has_an_error_of_one_and_scale_has_none():
    bands = [5 / 64, 10 / 64, 20 / 64, 30 / 64]
    low = 10 + sum(cosine(f) for f in bands[:-1])
    reference = torch.stack([low + cosine(bands[-1])] * 2)
    image = 3 * torch.stack([reference[0], low])
    found = spectral_errors(image.to(torch.complex64), reference)
    assert found[0].max().item() < 1e-6
    assert found[1, 4].item() == pytest.approx(1, abs=1e-3)
