import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echotrain.models.fourier import centre, centred_fft, centred_ifft, resized

AXES = (1, 2, 3)
sizes = st.integers(1, 12)


def noise(shape, seed=0, dtype=np.complex128):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)


def by_shifts(kspace, axes):
    return np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho"), axes)


@given(st.tuples(sizes, sizes, sizes, sizes))
def test_the_inverse_is_the_shifted_orthonormal_transform_for_any_size(shape):
    kspace = noise(shape)
    np.testing.assert_allclose(centred_ifft(kspace, AXES), by_shifts(kspace, AXES), atol=1e-12)


@given(st.tuples(sizes, sizes, sizes, sizes))
def test_forward_undoes_inverse_and_is_its_adjoint(shape):
    x, y = noise(shape), noise(shape, seed=1)
    np.testing.assert_allclose(centred_fft(centred_ifft(x, AXES), AXES), x, atol=1e-12)
    assert np.vdot(centred_fft(x, AXES), y) == pytest.approx(np.vdot(x, centred_ifft(y, AXES)), abs=1e-10)


@pytest.mark.parametrize("shape", [(4, 1, 256, 256), (2, 1, 255, 216), (2, 15, 32, 21)])
def test_single_precision_stays_single_and_within_1e_6_of_double(shape):
    kspace = noise(shape, dtype=np.complex64)
    got, expected = centred_ifft(kspace, AXES), by_shifts(kspace.astype(np.complex128), AXES)
    assert got.dtype == np.complex64
    assert np.linalg.norm(got - expected) < 1e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize("size", [8, 9])
def test_a_point_in_the_centre_of_k_space_gives_a_constant_image(size):
    kspace = np.zeros((1, 1, size, size), np.complex64)
    kspace[0, 0, size // 2, size // 2] = size
    np.testing.assert_allclose(centred_ifft(kspace, AXES), 1, atol=1e-6)


def test_a_row_comes_out_the_same_to_the_bit_whatever_stands_beside_it():
    rows = noise((37, 96), dtype=np.complex64)
    together = centred_ifft(rows, (1,))
    for i, row in enumerate(rows):
        assert centred_ifft(row[None], (1,)).tobytes() == together[i].tobytes()


def test_strides_of_the_input_change_no_bit_and_the_input_stays_as_it_was():
    kspace = noise((3, 2, 8, 10), dtype=np.complex64)
    strided = np.moveaxis(np.moveaxis(kspace, 0, 2).copy(), 2, 0)
    reversed_twice = kspace[..., ::-1].copy()[..., ::-1]
    before = kspace.copy()
    whole = centred_ifft(kspace, AXES).tobytes()
    assert centred_ifft(strided, AXES).tobytes() == whole
    assert centred_ifft(reversed_twice, AXES).tobytes() == whole
    np.testing.assert_array_equal(kspace, before)


@given(st.tuples(sizes, sizes), st.tuples(sizes, sizes))
def test_resizing_keeps_the_centre_and_undoes_itself_where_it_padded(old, new):
    array = noise(old)
    changed = resized(array, new, (0, 1))
    assert changed.shape == new
    assert changed[new[0] // 2, new[1] // 2] == array[old[0] // 2, old[1] // 2]
    if all(n >= o for n, o in zip(new, old, strict=True)):
        np.testing.assert_array_equal(resized(changed, old, (0, 1)), array)
        assert np.abs(changed).sum() == pytest.approx(np.abs(array).sum())


def test_the_centre_of_an_array_is_a_view():
    array = np.arange(10)
    view = centre(array, (4,))
    assert view.base is array
    np.testing.assert_array_equal(view, [3, 4, 5, 6])
