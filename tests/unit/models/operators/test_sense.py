import numpy as np
import pytest
import torch

from echotrain.models.fourier import centred_fft
from echotrain.models.measurements import Measurements
from echotrain.models.operators import sense
from echotrain.models.operators.fourier import FourierOperator
from echotrain.models.operators.sampling import SamplingMask
from echotrain.models.operators.sense import SenseOperator
from echotrain.models.operators.sensitivities import SensitivityOperator


def random_problem(shape=(2, 3, 8, 9), seed=0):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(*shape, dtype=torch.complex128, generator=generator)
    mask = torch.rand(shape[0], 1, *shape[2:], generator=generator) < 0.4
    return maps, mask


@pytest.mark.parametrize("grid", [(8, 8), (7, 12), (15, 1), (4, 6, 5)])
def test_the_fourier_operator_is_unitary_and_agrees_with_numpy(grid, check_adjoint):
    axes = tuple(range(-len(grid), 0))
    operator = FourierOperator(axes)
    check_adjoint(operator, (2, *grid), (2, *grid))
    x = torch.randn(2, *grid, dtype=torch.complex128)
    np.testing.assert_allclose(operator(x).numpy(), centred_fft(x.numpy(), axes), atol=1e-12)
    torch.testing.assert_close(operator.adjoint(operator(x)), x)


@pytest.mark.parametrize("shape", [(2, 3, 8, 9), (1, 1, 7, 7), (2, 3, 4, 5, 6)])
def test_every_part_of_the_sense_operator_has_its_adjoint(shape, check_adjoint):
    maps, mask = random_problem(shape)
    image = (shape[0], *shape[2:])
    check_adjoint(SensitivityOperator(maps), image, shape)
    check_adjoint(SamplingMask(mask), shape, shape)
    check_adjoint(SenseOperator(maps, mask), image, shape)


def test_whole_readouts_may_be_masked_by_a_mask_of_one_column(check_adjoint):
    maps, mask = random_problem()
    check_adjoint(SenseOperator(maps, mask[..., :1]), (2, 8, 9), maps.shape)


def test_sense_is_mask_times_transform_times_sensitivities():
    maps, mask = random_problem((1, 3, 8, 9))
    x = torch.randn(1, 8, 9, dtype=torch.complex128)
    expected = centred_fft((maps * x[:, None]).numpy(), (-2, -1)) * mask.numpy()
    np.testing.assert_allclose(SenseOperator(maps, mask)(x).numpy(), expected, atol=1e-12)


def test_measurements_refuse_shapes_that_do_not_fit_and_say_which():
    maps, mask = random_problem()
    with pytest.raises(ValueError, match=r"mask is \(2, 1, 8, 8\)"):
        Measurements(maps, mask[..., :8], maps)
    with pytest.raises(ValueError, match=r"maps are \(1, 3, 8, 9\)"):
        Measurements(maps, mask, maps[:1])


@pytest.mark.parametrize("grid", [(8, 12), (7, 9), (6, 5), (4, 7, 6)])
def test_the_shortcut_for_whole_readouts_changes_nothing(grid):
    maps, mask = random_problem((2, 3, *grid))
    mask = mask[..., :1]
    everywhere = mask.expand(2, 1, *grid)
    x = torch.randn(2, *grid, dtype=torch.complex128)
    torch.testing.assert_close(SenseOperator(maps, mask).normal(x), SenseOperator(maps, everywhere).normal(x))


def test_maps_and_mask_of_one_item_serve_a_batch():
    maps, mask = random_problem((1, 3, 8, 9))
    x = torch.randn(4, 8, 9, dtype=torch.complex128)
    together = SenseOperator(maps, mask).normal(x)
    torch.testing.assert_close(together[2:3], SenseOperator(maps, mask).normal(x[2:3]))


def test_gradients_flow_to_image_and_maps():
    maps, mask = random_problem((1, 2, 3, 4))
    maps.requires_grad_()
    x = torch.randn(1, 3, 4, dtype=torch.complex128, requires_grad=True)
    y = torch.randn(1, 2, 3, 4, dtype=torch.complex128, requires_grad=True)
    torch.autograd.gradcheck(lambda s, v: SenseOperator(s, mask[..., :1]).normal(v), (maps, x))
    torch.autograd.gradcheck(lambda s, v: SenseOperator(s, mask).adjoint(v), (maps, y))


def test_items_of_a_batch_are_alike_however_many_are_treated_at_a_time(monkeypatch):
    maps, mask = random_problem((5, 3, 8, 9))
    x = torch.randn(5, 8, 9, dtype=torch.complex128)
    together = SenseOperator(maps, mask).normal(x)
    monkeypatch.setattr(sense, "_CACHE_BYTES", 2 * maps[0].numel() * maps.element_size())
    torch.testing.assert_close(SenseOperator(maps, mask).normal(x), together)
