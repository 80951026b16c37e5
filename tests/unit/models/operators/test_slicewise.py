import torch

from echotrain.models.operators.sense import SenseOperator
from echotrain.models.operators.slicewise import Slicewise


def slices(z, generator):
    maps = torch.randn(z, 3, 6, 5, dtype=torch.complex128, generator=generator)
    mask = torch.rand(z, 1, 6, 1, generator=generator) < 0.5
    return maps, mask


def test_it_has_its_adjoint(check_adjoint):
    operator = Slicewise(SenseOperator(*slices(4, torch.Generator().manual_seed(0))))
    check_adjoint(operator, (2, 4, 6, 5), (2, 4, 3, 6, 5))


def test_each_slice_of_each_stack_is_measured_by_its_own_operator():
    generator = torch.Generator().manual_seed(0)
    maps, mask = slices(4, generator)
    x = torch.randn(2, 4, 6, 5, dtype=torch.complex128, generator=generator)
    measured = Slicewise(SenseOperator(maps, mask))(x)
    torch.testing.assert_close(measured[1, 2:3], SenseOperator(maps[2:3], mask[2:3])(x[1, 2:3]))
