import pytest
import torch

from echotrain.models.operators.density_compensation import iterative_compensation
from echotrain.models.operators.nonuniform_fourier import NonuniformFourierOperator
from echotrain.models.operators.operator_norm import operator_norm
from echotrain.models.operators.sensitivities import SensitivityOperator
from echotrain.models.operators.toeplitz import ToeplitzOperator
from echotrain.models.simulation.trajectories import radial, spoke_angles

SHAPES = [(12, 10), (9, 7), (8, 11), (1, 6), (4, 5, 6)]


def random_problem(shape, count=60, seed=1):
    generator = torch.Generator().manual_seed(seed)
    trajectory = torch.rand(count, len(shape), dtype=torch.float64, generator=generator) - 0.5
    return trajectory, torch.rand(count, dtype=torch.float64, generator=generator)


def image(*shape, seed=2):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_its_adjoint_is_itself(check_adjoint, shape):
    trajectory, weights = random_problem(shape)
    check_adjoint(ToeplitzOperator(trajectory, shape, weights), (2, 3, *shape), (2, 3, *shape))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("width", "bound"), [(4, 3e-3), (6, 3e-5), (8, 3e-7)])
def test_it_is_the_adjoint_of_the_weighted_transform(shape, width, bound):
    trajectory, weights = random_problem(shape)
    fourier, x = NonuniformFourierOperator(trajectory, shape, width=8), image(2, *shape)
    expected = fourier.adjoint(weights * fourier(x))
    found = ToeplitzOperator(trajectory, shape, weights, width=width)(x)
    assert (found - expected).norm() < bound * expected.norm()


def test_with_sensitivities_it_is_the_normal_operator_of_parallel_imaging(check_adjoint):
    shape = (8, 9)
    trajectory, weights = random_problem(shape)
    coils = SensitivityOperator(image(2, 3, *shape))
    normal = coils.H @ ToeplitzOperator(trajectory, shape, weights, width=8) @ coils
    check_adjoint(normal, (2, *shape), (2, *shape))
    root = weights.sqrt()
    model, x = NonuniformFourierOperator(trajectory, shape, width=8) @ coils, image(2, *shape)
    torch.testing.assert_close(normal(x), model.adjoint(root * (root * model(x))), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 10), (9, 7)])
def test_on_the_grid_it_is_the_identity(shape):
    axes = [(torch.arange(n).double() - n // 2) / n for n in shape]
    points = torch.stack([k.flatten() for k in torch.meshgrid(*axes, indexing="ij")][::-1], dim=1)
    x = image(2, *shape)
    found = ToeplitzOperator(points, shape, torch.ones(len(points), dtype=torch.float64))(x)
    torch.testing.assert_close(found, x, rtol=0, atol=1e-4)


@pytest.mark.parametrize("spokes", [20, 50, 100])  # 50 are fully sampled
def test_with_the_density_compensated_its_largest_eigenvalue_is_one_to_two(spokes):
    trajectory = torch.from_numpy(radial(spoke_angles(spokes), 64).reshape(-1, 2))
    normal = ToeplitzOperator(trajectory, (32, 32), iterative_compensation(trajectory, (32, 32)))
    norm = operator_norm(normal, (32, 32), torch.Generator().manual_seed(0), dtype=torch.complex128)
    assert 1 < norm < 2


def test_single_precision_stays_single():
    trajectory, weights = random_problem((9, 8))
    x = image(9, 8)
    single = ToeplitzOperator(trajectory.float(), (9, 8), weights.float())(x.to(torch.complex64))
    assert single.dtype == torch.complex64
    double = ToeplitzOperator(trajectory, (9, 8), weights)(x)
    assert (single - double).norm() < 1e-5 * double.norm()
