import numpy as np
import pytest

from echotrain.engine.errors import ConfigurationError
from echotrain.engine.messages import NoiseState, Preparation, Readouts
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.combine_coils import CombineCoils
from echotrain.gadgets.reconstruct_fourier import ReconstructFourier


def combine(scans, gadget, prepared=None):
    scan = scans.Scan(matrix=(8, 8, 1), fov=(200, 200, 5))
    block = scan.all_lines()
    block = Readouts(block.headers, block.samples, prepared=prepared or Preparation())
    coils = []
    reconstruct = ReconstructFourier()
    inner = reconstruct.receive
    reconstruct.receive = lambda message: [coils.append(c) or c for c in inner(message)]
    (out,) = scans.run(scan, [Accumulate(), reconstruct, gadget], block)
    return out, coils[0].data


def test_root_sum_of_squares_is_a_float32_magnitude(scans):
    out, coils = combine(scans, CombineCoils())
    np.testing.assert_allclose(out.data[0], np.sqrt((np.abs(coils) ** 2).sum(0)), rtol=1e-5)
    assert out.data.dtype == np.float32
    assert (out.method, out.quantity, out.unit, out.variant) == ("fourier+rss", "magnitude", "a.u.", "acquired")
    assert out.meta["EchotrainNoise"] == "not prewhitened"
    assert out.history[-1] == "combine_coils: rss of 3 coils"


def test_prewhitened_images_are_in_units_of_the_noise(scans):
    prepared = Preparation(noise=NoiseState(prewhitened=True, source="this scan"))
    out, _ = combine(scans, CombineCoils(), prepared)
    assert out.unit == "SNR"
    assert out.meta["EchotrainNoise"] == "prewhitened with this scan"


def test_the_adaptive_combination_gives_magnitude_or_complex_images(scans):
    magnitude, _ = combine(scans, CombineCoils(method="adaptive", width=3))
    whole, _ = combine(scans, CombineCoils(method="adaptive", width=3, magnitude=False))
    assert (magnitude.quantity, whole.quantity) == ("magnitude", "complex")
    assert whole.data.dtype == np.complex64
    np.testing.assert_allclose(np.abs(whole.data), magnitude.data, rtol=1e-6)


def test_root_sum_of_squares_has_no_phase_to_give(scans):
    with pytest.raises(ConfigurationError, match=r"rss.*gives magnitudes only"):
        combine(scans, CombineCoils(magnitude=False))
