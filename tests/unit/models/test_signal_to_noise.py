import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.signal_to_noise import body_snr


def measurements(level, noise):
    image = torch.zeros(1, 16, 16, dtype=torch.complex64)
    image[:, 4:12, 4:12] = level
    empty = Measurements(image[:, None], torch.ones(1, 1, 16, 1, dtype=torch.bool), torch.ones_like(image)[:, None])
    return Measurements(empty.operator()(image), empty.mask, empty.maps, noise)


def test_a_body_of_20_over_noise_of_2_has_an_snr_of_10():
    assert body_snr(measurements(20.0, 2.0)) == pytest.approx(10, rel=1e-5)


@pytest.mark.parametrize(("level", "noise"), [(20.0, None), (0.0, 1.0)])
def test_without_known_noise_or_signal_there_is_no_snr(level, noise):
    assert body_snr(measurements(level, noise)) is None
