import math

import pytest
import torch

from echotrain.gadgets._scan_figures import scan_figures
from echotrain.models.measurements import Measurements


def scan(noise, *, signal=100.0):
    """Noise of a standard deviation of 1 in each part; all of the signal is in the middle of k-space: a flat image."""
    kspace = torch.randn(1, 2, 64, 64, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)) * 2**0.5
    kspace[:, :, 32, 32] += signal * 64
    mask = torch.zeros(1, 1, 64, 1, dtype=torch.bool)
    mask[:, :, ::2] = True
    maps = torch.full((1, 2, 64, 64), 0.5**0.5, dtype=torch.complex64)
    return Measurements(kspace=kspace * mask, mask=mask, maps=maps, noise=noise)


def test_a_measured_noise_level_is_taken_as_it_is():
    figures = scan_figures(scan(math.sqrt(2)))
    assert figures["EchotrainNoiseLevel"] == "measured"
    assert float(figures["EchotrainNoiseFloor"]) == pytest.approx(1)
    assert float(figures["EchotrainAcceleration"]) == pytest.approx(2)
    assert figures["EchotrainCoils"] == "2"
    assert float(figures["EchotrainSnr"]) == pytest.approx(100, rel=0.05)


def test_without_a_noise_measurement_the_level_is_estimated_and_that_is_said():
    figures = scan_figures(scan(None))
    assert figures["EchotrainNoiseLevel"] == "estimated from the scan"
    assert float(figures["EchotrainNoiseFloor"]) == pytest.approx(1, rel=0.15)
    assert float(figures["EchotrainSnr"]) == pytest.approx(100, rel=0.2)


def test_a_level_that_was_estimated_before_is_taken_and_still_called_estimated():
    figures = scan_figures(scan(None), noise=3 * math.sqrt(2))
    assert figures["EchotrainNoiseLevel"] == "estimated from the scan"
    assert float(figures["EchotrainNoiseFloor"]) == pytest.approx(3)


def test_k_space_without_signal_has_no_snr():
    figures = scan_figures(Measurements(*(torch.zeros_like(t) for t in vars(scan(None)).values() if t is not None)))
    assert float(figures["EchotrainNoiseFloor"]) == 0
    assert "EchotrainSnr" not in figures
