import numpy as np
import pytest
import torch

from echotrain.models.operators.low_rank import BlockHankel, singular_value_threshold


@pytest.mark.parametrize(("grid", "window"), [((6, 7), (3, 2)), ((5, 4), (5, 4)), ((4, 5), (1, 1))])
def test_windows_have_their_adjoint(grid, window, check_adjoint):
    rows = (grid[0] - window[0] + 1) * (grid[1] - window[1] + 1)
    check_adjoint(BlockHankel(grid, window), (2, 3, *grid), (2, rows, 3 * window[0] * window[1]))


def test_each_row_is_one_window_of_all_coils():
    x = torch.arange(2 * 3 * 4).reshape(2, 3, 4) + 0j
    found = BlockHankel((3, 4), (2, 3))(x)
    assert torch.equal(found[2], x[:, 1:3, 0:3].flatten())


def test_k_space_of_a_few_points_has_that_rank():
    rng = np.random.default_rng(0)
    ky, kx = np.mgrid[:12, :12]
    kspace = sum(np.exp(2j * np.pi * (ky * y + kx * x)) for y, x in rng.random((3, 2)))
    matrix = BlockHankel((12, 12), (4, 4))(torch.from_numpy(kspace)[None])
    singular = torch.linalg.svdvals(matrix)
    assert singular[2] > 1e-3 * singular[0]
    assert singular[3] < 1e-10 * singular[0]


def test_singular_values_are_shrunk_and_vectors_kept():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(2, 5, 3, dtype=torch.complex128, generator=generator)
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    threshold = 0.5 * (s[0, 1] + s[0, 2])
    found = singular_value_threshold(matrix, threshold)
    expected = torch.einsum("bik,bk,bkj->bij", u, (s - threshold).clamp(min=0) + 0j, vh)
    torch.testing.assert_close(found, expected)
    assert torch.linalg.matrix_rank(found[0]) == 2
