import numpy as np
import pytest

from echotrain.models.studies.slices import SimulatedScans, spread


@pytest.mark.parametrize("count", [1, 5, 8, 9, 10, 20])
def test_images_are_chosen_evenly_and_none_twice(count):
    images = np.arange(10, dtype=np.uint8)[:, None, None]
    chosen = spread(images, count).flatten().tolist()
    assert len(set(chosen)) == len(chosen) == min(count, 10)
    assert chosen == sorted(chosen)
    if count <= 5:
        assert 0 not in chosen
        assert 9 not in chosen


def test_a_slice_is_a_function_of_its_number_alone(scans):
    fewer = SimulatedScans("one", scans.images[:2])
    one, again = scans.case(1, 4.0).measurements, fewer.case(1, 4.0).measurements
    assert one.kspace.equal(again.kspace)
    assert not one.maps.equal(scans.case(2, 4.0).measurements.maps)
    assert scans.digest() != fewer.digest()


def test_images_come_in_the_unit_of_priors(scans):
    image = scans.image(0)
    power = image.abs().square()
    assert float(power[power >= power.mean()].mean()) == pytest.approx(1.0, rel=1e-3)
    assert float(image.imag.abs().max()) > 0.1  # a phase of its own
