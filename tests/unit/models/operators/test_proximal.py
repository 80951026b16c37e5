import math

import pytest
import torch

from echotrain.models.operators.proximal import clipped, group_shrink, soft_threshold


def test_soft_threshold_shrinks_magnitudes_and_keeps_phases():
    x = torch.tensor([3 + 4j, 0.3 - 0.4j, 0, -2j])
    torch.testing.assert_close(soft_threshold(x, 1.0), torch.tensor([2.4 + 3.2j, 0, 0, -1j]))


def test_soft_threshold_of_real_values_keeps_signs():
    torch.testing.assert_close(soft_threshold(torch.tensor([-3.0, 0.5, 2.0]), 1.0), torch.tensor([-2.0, 0.0, 1.0]))


def test_a_threshold_of_zero_changes_nothing():
    x = torch.randn(3, 4, dtype=torch.complex64)
    x[0] = 0
    assert torch.equal(soft_threshold(x, 0.0), x)
    assert torch.equal(group_shrink(x, 0.0, 0), x)


def test_each_item_may_have_its_own_threshold():
    x = torch.full((2, 3), 5.0)
    torch.testing.assert_close(
        soft_threshold(x, torch.tensor([[1.0], [7.0]])), torch.tensor([[4.0], [0.0]]).expand(2, 3)
    )


def test_group_shrink_shortens_vectors_and_keeps_directions():
    x = torch.tensor([[3 + 0j, 0.1], [4j, 0.2j]])
    torch.testing.assert_close(group_shrink(x, 1.0, 0), torch.tensor([[2.4 + 0j, 0], [3.2j, 0]]))


@pytest.mark.parametrize("dim", [None, 0])
def test_what_is_clipped_and_what_is_left_make_the_whole_and_lie_within_the_ball(dim):
    x = torch.randn(3, 50, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    shrunk = soft_threshold(x, 0.8) if dim is None else group_shrink(x, 0.8, dim)
    ball = clipped(x, 0.8, dim)
    torch.testing.assert_close(shrunk + ball, x)
    norms = ball.abs() if dim is None else ball.norm(dim=dim)
    assert norms.max() <= 0.8 * (1 + 1e-12)


def test_soft_threshold_minimises_what_it_says():
    v, threshold = 1.5 + 2j, 0.7
    found = complex(soft_threshold(torch.tensor(v), threshold))

    def objective(x):
        return threshold * abs(x) + abs(x - v) ** 2 / 2

    around = [found + 1e-3 * complex(math.cos(a), math.sin(a)) for a in range(12)]
    assert all(objective(found) < objective(x) for x in around)
