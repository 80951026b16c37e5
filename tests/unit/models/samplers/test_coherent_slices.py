import pytest
import torch

from echotrain.models.operators.sampling import SamplingMask
from echotrain.models.samplers.coherent_slices import CoherentSlices


def settled(y, mask, start, weight, prior=0.0):
    coherent = CoherentSlices(SamplingMask(mask), mask * y, weight, penalty=0.5, iterations=10)
    x = start
    for _ in range(200):
        x = coherent(start, prior, x) if prior else coherent(x)
    return x


def test_two_slices_move_towards_each_other_by_the_weight():
    y = torch.tensor([0.0, 1.0], dtype=torch.float64).view(1, 2, 1, 1) + 0j
    x = settled(y, torch.ones_like(y.real), torch.zeros_like(y), weight=0.1)
    torch.testing.assert_close(x.flatten().real, torch.tensor([0.1, 0.9], dtype=torch.float64))


def test_an_image_that_is_trusted_as_much_as_the_measurements_is_met_half_way():
    y, image = (torch.tensor(v, dtype=torch.float64).view(1, 2, 1, 1) + 0j for v in ([0.0, 1.0], [1.0, 2.0]))
    x = settled(y, torch.ones_like(y.real), image, weight=0.1, prior=1.0)
    torch.testing.assert_close(x.flatten().real, torch.tensor([0.55, 1.45], dtype=torch.float64))


def test_the_first_and_the_last_slice_are_no_neighbours():
    y = torch.tensor([0.0, 1, 2, 3], dtype=torch.float64).view(1, 4, 1, 1) + 0j
    x = settled(y, torch.ones_like(y.real), torch.zeros_like(y), weight=0.1)
    # each inner slice is pulled as much up as down
    torch.testing.assert_close(x.flatten().real, torch.tensor([0.1, 1, 2, 2.9], dtype=torch.float64))


def test_a_slice_that_was_not_measured_comes_to_lie_between_its_neighbours():
    y = torch.tensor([1.0, 0, 3], dtype=torch.float64).view(1, 3, 1, 1) + 0j
    mask = torch.tensor([1.0, 0, 1], dtype=torch.float64).view(1, 3, 1, 1)
    x = settled(y, mask, 9 * torch.ones_like(y), weight=0.1).flatten().real
    torch.testing.assert_close(x[::2], torch.tensor([1.1, 2.9], dtype=torch.float64))
    assert 1.1 < x[1] <= 2.9


def test_what_no_slice_measured_stays_as_it_was_given():
    start = torch.full((1, 3, 2, 2), 5.0 + 2j)
    coherent = CoherentSlices(SamplingMask(torch.zeros(2, 2)), torch.zeros_like(start), 0.1, 0.5, 5)
    assert torch.equal(coherent(coherent(start)), start)


def test_single_slices_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 4, 4\), expected stacks of slices, .*such as dds"):
        CoherentSlices(SamplingMask(torch.ones(4, 4)), torch.zeros(1, 4, 4), 0.1, 0.5, 5)
