import pytest
import torch

from echotrain.models.operators.inner_product import inner


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_it_is_the_real_part_of_the_hermitian_product_of_each_item(dtype):
    a, b = torch.randn(2, 5, 3, 4, 6, dtype=dtype)
    expected = torch.stack([torch.vdot(x.flatten(), y.flatten()).real for x, y in zip(a, b, strict=True)])
    torch.testing.assert_close(inner(a, b), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(inner(a.conj(), b.conj(), dtype=torch.float64).float(), expected, rtol=1e-5, atol=1e-5)


def test_an_item_s_is_the_same_to_the_bit_whatever_it_is_computed_together_with():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        x = torch.randn(3, 200, 208, dtype=torch.complex64)  # sums long enough for threads to share them
        assert torch.equal(inner(x, x)[1:2], inner(x[1:2], x[1:2]))
    finally:
        torch.set_num_threads(threads)
