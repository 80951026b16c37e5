import numpy as np
import pytest
import pywt
import torch

from echotrain.models.operators.wavelet import WaveletOperator


@pytest.mark.parametrize("wavelet", ["haar", "db2", "sym4"])
@pytest.mark.parametrize("shape", [(16, 24), (25, 18), (9, 31), (1, 5)])
def test_wavelets_are_isometries_with_an_adjoint_at_any_size(shape, wavelet, check_adjoint):
    operator = WaveletOperator(shape, wavelet)
    coefficients = operator(torch.zeros(1, *shape, dtype=torch.complex128)).shape[1]
    check_adjoint(operator, (2, *shape), (2, coefficients))
    x = torch.randn(2, 3, *shape, dtype=torch.complex128)
    torch.testing.assert_close(operator.adjoint(operator(x)), x)


def test_the_haar_wavelet_is_unitary_where_sizes_halve_evenly():
    operator = WaveletOperator((16, 8), "haar", levels=3)
    y = torch.randn(1, 128, dtype=torch.complex128)
    torch.testing.assert_close(operator(operator.adjoint(y)), y)


def test_coefficients_are_pywts():
    x = np.random.default_rng(0).standard_normal((13, 22))
    coarse, (h, v, d) = pywt.wavedec2(x, "db2", mode="zero", level=1)
    expected = np.concatenate([band.ravel() for band in (coarse, h, v, d)])
    found = WaveletOperator((13, 22), "db2", levels=1)(torch.from_numpy(x + 0j)[None])
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-12)


def test_a_constant_is_all_in_the_coarse_coefficients():
    found = WaveletOperator((8, 8), "haar", levels=3)(torch.full((1, 8, 8), 1 - 2j))
    assert found[0, 0] == pytest.approx(8 * (1 - 2j), rel=1e-6)
    assert found[0, 1:].abs().max() < 1e-5


@pytest.mark.parametrize("name", ["bior2.2", "no such", "morl"])
def test_wavelets_that_are_not_orthogonal_are_refused(name):
    with pytest.raises(ValueError, match=f'wavelet is "{name}"'):
        WaveletOperator((8, 8), name)
