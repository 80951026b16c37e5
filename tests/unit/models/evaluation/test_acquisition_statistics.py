import numpy as np
import pytest

from echotrain.models.evaluation.acquisition_statistics import acquisition_statistics, drawn_acquisition
from echotrain.models.simulation.acquisition_range import AcquisitionRange


def test_a_simulated_scan_has_the_snr_and_the_noise_it_was_made_with(heads):
    kspace, magnitude = drawn_acquisition(
        heads[0], AcquisitionRange(coils=(6, 6)), (64, 64), 20.0, np.random.default_rng(0)
    )
    assert magnitude.shape == (64, 64)
    found = acquisition_statistics(kspace)
    assert found["coils"] == 6
    assert found["SNR of the body"] == pytest.approx(20, rel=0.25)
    assert found["correlation of noise between coils"] < 0.3  # 144 samples, and some signal
    assert found["noise of the noisiest coil over the quietest"] < 1.5


def test_tissue_makes_a_phase_rougher(heads):
    smooth, rough = (
        acquisition_statistics(
            drawn_acquisition(heads[1], AcquisitionRange(phase=p), (64, 64), np.inf, np.random.default_rng(1))[0]
        )
        for p in ((0.0, 0.0), (2.0, 2.0))
    )
    name = "phase roughness at 2 px, rms, rad"
    assert rough[name] > 3 * smooth[name]
    assert rough["coils"] == smooth["coils"]
