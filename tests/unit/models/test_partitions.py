import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.partitions import as_slices, as_stacks, partitions_alike


def volumes(kept=slice(None), *, whole_readouts=True):
    """Two volumes of 3 coils and 5 x 8 x 6 voxels, undersampled along ky, and their image."""
    generator = torch.Generator().manual_seed(0)
    maps, image = (torch.randn(2, *s, 5, 8, 6, dtype=torch.complex64, generator=generator) for s in ((3,), ()))
    mask = torch.zeros(2, 1, 5, 8, 1 if whole_readouts else 6, dtype=torch.bool)
    mask[0, :, kept, ::2] = True
    mask[1, :, kept, 1::3] = True
    empty = Measurements(torch.zeros_like(maps), mask, maps, 1.0)
    return Measurements(empty.operator()(image), mask, maps, 1.0), image


@pytest.mark.parametrize("whole_readouts", [True, False])
def test_slices_of_a_volume_are_measured_as_the_volume_was(whole_readouts):
    volume, image = volumes(whole_readouts=whole_readouts)
    slices = as_slices(volume)
    assert slices.kspace.shape == (10, 3, 8, 6)
    torch.testing.assert_close(slices.operator()(image.flatten(0, 1)), slices.kspace)
    torch.testing.assert_close(slices.zero_filled().reshape(image.shape), volume.zero_filled())
    assert slices.noise == 1.0


def test_slices_stay_as_they_are():
    slices = as_slices(volumes()[0])
    assert as_slices(slices) is slices


@pytest.mark.parametrize(("kept", "said"), [(slice(1, 4), "3 of 5"), (slice(0, None, 2), "3 of 5")])
def test_partitions_that_were_left_out_are_refused(kept, said):
    with pytest.raises(ValueError, match=rf"{said} partitions \(kz\) were sampled.*needs kz sampled in full"):
        as_slices(volumes(kept)[0])


def test_partitions_sampled_differently_are_refused():
    volume, _ = volumes()
    volume.mask[1, 0, 2, 0] = True
    with pytest.raises(ValueError, match="not all alike"):
        as_slices(volume)


def test_partitions_are_alike_where_all_were_sampled_in_the_same_lines():
    assert partitions_alike(volumes()[0])
    assert not partitions_alike(volumes(slice(1, 4))[0])


def test_a_slice_as_a_stack_is_measured_as_the_slice_was():
    volume, image = volumes()
    slices = as_slices(volume)
    stacks = as_stacks(slices)
    assert stacks.kspace.shape == (10, 3, 1, 8, 6)
    torch.testing.assert_close(stacks.operator()(image.reshape(10, 1, 8, 6)), stacks.kspace)
    assert as_stacks(volume) is volume
