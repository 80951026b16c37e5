import numpy as np
import pytest
import torch

from echotrain.models.operators.fourier import FourierOperator
from echotrain.models.operators.nonuniform_fourier import NonuniformFourierOperator
from echotrain.models.operators.sensitivities import SensitivityOperator


def points(count, dims=2, seed=1):
    return torch.rand(count, dims, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) - 0.5


def image(*shape, seed=2):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def direct(x, trajectory):
    """The sum itself."""
    dims = trajectory.shape[1]
    grids = torch.meshgrid(*[torch.arange(n).double() - n // 2 for n in x.shape[-dims:]], indexing="ij")
    phase = sum(k[:, None] * r.flatten() for k, r in zip(trajectory.flip(1).T, grids, strict=True))
    return x.flatten(-dims) @ torch.exp(-2j * torch.pi * phase).mT / np.sqrt(grids[0].numel())


def grid_points(*shape):
    """k of every point of a grid, in the order of its flattened axes."""
    axes = [(torch.arange(n).double() - n // 2) / n for n in shape]
    return torch.stack([k.flatten() for k in torch.meshgrid(*axes, indexing="ij")][::-1], dim=1)


@pytest.mark.parametrize("shape", [(16, 16), (15, 12), (9, 7), (6, 5, 8)])
@pytest.mark.parametrize(("width", "bound"), [(4, 3e-3), (6, 2e-5), (8, 2e-7)])
def test_it_is_the_sum(shape, width, bound):
    trajectory, x = points(200, len(shape)), image(3, *shape)
    error = NonuniformFourierOperator(trajectory, shape, width=width)(x) - direct(x, trajectory)
    assert error.norm() < bound * direct(x, trajectory).norm()


@pytest.mark.parametrize("shape", [(16, 16), (15, 12)])
def test_on_the_grid_it_is_the_centred_orthonormal_transform_and_its_adjoint_the_inverse(shape):
    operator, x = NonuniformFourierOperator(grid_points(*shape), shape), image(2, *shape)
    torch.testing.assert_close(operator(x).view_as(x), FourierOperator()(x), rtol=0, atol=1e-4)
    torch.testing.assert_close(operator.adjoint(operator(x)), x, rtol=0, atol=1e-4)


def test_the_edge_of_k_space_belongs_to_it():
    trajectory, x = torch.tensor([[0.5, -0.5], [-0.5, 0.5]], dtype=torch.float64), image(8, 8)
    torch.testing.assert_close(
        NonuniformFourierOperator(trajectory, (8, 8))(x), direct(x, trajectory), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("shape", [(12, 10), (9, 7), (4, 5, 6)])
def test_its_adjoint_is_exact(check_adjoint, shape):
    check_adjoint(NonuniformFourierOperator(points(50, len(shape)), shape), (2, 3, *shape), (2, 3, 50))


def test_with_sensitivities_it_is_the_forward_model_of_parallel_imaging(check_adjoint):
    check_adjoint(
        NonuniformFourierOperator(points(50), (8, 9)) @ SensitivityOperator(image(2, 3, 8, 9)), (2, 8, 9), (2, 3, 50)
    )


def test_single_precision_stays_single():
    trajectory, x = points(100), image(2, 16, 16)
    single = NonuniformFourierOperator(trajectory.float(), (16, 16))(x.to(torch.complex64))
    assert single.dtype == torch.complex64
    assert (single - direct(x, trajectory)).norm() < 3e-5 * single.norm()


@pytest.mark.parametrize(
    ("trajectory", "message"),
    [
        (torch.zeros(5, 3), r"expected \(points, 2\)"),
        (torch.full((5, 2), torch.nan), "not finite"),
        (torch.full((5, 2), 8.0), "reaches 8 cycles per pixel"),
    ],
)
def test_a_trajectory_that_does_not_fit_is_refused(trajectory, message):
    with pytest.raises(ValueError, match=message):
        NonuniformFourierOperator(trajectory, (8, 8))
