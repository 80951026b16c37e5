import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echotrain.models.fourier import centre, centred_ifft
from echotrain.models.oversampling import remove_oversampling


def noise(shape, dtype=np.complex128):
    rng = np.random.default_rng(0)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)


@given(st.data())
def test_the_image_of_what_is_left_is_the_cropped_image_of_the_whole(data):
    grid = data.draw(st.integers(2, 40))
    columns = data.draw(st.integers(1, grid))
    start = data.draw(st.integers(0, grid - 1))
    length = data.draw(st.integers(1, grid - start))
    samples = noise((3, 2, length))
    whole = np.zeros((3, 2, grid), np.complex128)
    whole[..., start : start + length] = samples
    left = remove_oversampling(samples, grid=grid, start=start, columns=columns)
    assert left.shape == (3, 2, columns)
    expected = centre(centred_ifft(whole, (-1,)), (3, 2, columns))
    np.testing.assert_allclose(centred_ifft(left, (-1,)), expected, atol=1e-12)


def test_each_readout_comes_out_the_same_to_the_bit_in_any_block():
    samples = noise((33, 5, 64), np.complex64)
    whole = remove_oversampling(samples, grid=64, start=0, columns=32)
    assert whole.dtype == np.complex64
    parts = [remove_oversampling(s, grid=64, start=0, columns=32) for s in np.split(samples, [1, 2, 7, 20])]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize(("length", "start", "columns"), [(10, -1, 4), (10, 1, 4), (10, 0, 11)])
def test_samples_that_do_not_fit_the_grid_are_refused(length, start, columns):
    with pytest.raises(ValueError, match="do not fit a grid of 10"):
        remove_oversampling(noise((1, 1, length)), grid=10, start=start, columns=columns)
