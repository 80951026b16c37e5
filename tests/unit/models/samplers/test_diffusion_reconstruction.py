"""Samples of a scan."""

import itertools
from dataclasses import replace

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.operators.fourier import FourierOperator
from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.samplers.dds import Dds
from echotrain.models.samplers.diffusion_reconstruction import diffusion_ensemble, sample, sample_bytes, sample_seeds
from echotrain.models.samplers.volume_dds import VolumeDds

SIZE = (12, 10)


def prior():
    n = SIZE[0] * SIZE[1]
    return GaussianPrior(torch.zeros(n), torch.eye(n))


def scan(scale=1.0, slices=1):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(slices, 3, *SIZE, dtype=torch.complex64, generator=generator)
    maps[..., :2] = 0
    maps /= maps.abs().square().sum(dim=1, keepdim=True).sqrt().clamp(min=1e-6)
    mask = torch.zeros(slices, 1, SIZE[0], 1, dtype=torch.bool)
    mask[:, :, ::2] = True
    empty = Measurements(torch.zeros_like(maps), mask, maps)
    image = torch.randn(slices, *SIZE, dtype=torch.complex64, generator=generator)
    return Measurements(scale * empty.operator()(image), mask, maps, 0.05 * scale)


class Short:
    """A prior that does not fit the memory with more than two images."""

    sigmas = (0.0, 10.0)

    def __init__(self, most):
        self.prior, self.most, self.sizes = prior(), most, []

    def denoise(self, x, sigma):
        if len(x) > self.most:
            raise torch.OutOfMemoryError
        self.sizes.append(len(x))
        return self.prior.denoise(x, sigma)


def test_samples_are_in_the_unit_of_the_scan_and_zero_where_the_maps_are():
    drawn = sample(scan(100.0), prior(), Dds(), seeds=[1, 2])
    assert drawn.images.shape == (2, *SIZE)
    assert not drawn.images[..., :2].any()
    assert 30 < float(drawn.images[..., 2:].abs().mean()) < 300
    small = sample(scan(1.0), prior(), Dds(), seeds=[1, 2])
    torch.testing.assert_close(drawn.images, 100 * small.images, rtol=1e-3, atol=0.1)


def test_a_sample_is_the_same_whatever_it_is_drawn_together_with():
    together = sample(scan(), prior(), Dds(eta=0.5), seeds=[1, 2, 3]).images
    alone = sample(scan(), prior(), Dds(eta=0.5), seeds=[2]).images
    torch.testing.assert_close(together[1], alone[0], rtol=1e-5, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 0.1


def test_where_memory_is_short_fewer_are_drawn_together_and_the_samples_are_the_same():
    short, told = Short(2), []
    drawn = sample(scan(), short, Dds(steps=4), seeds=[1, 2, 3, 4, 5], progress=lambda *step: told.append(step))
    assert drawn.together == 2
    assert short.sizes == [2] * 8 + [1] * 4
    assert told[-1] == (20, 20)
    assert told == sorted(told)
    expected = sample(scan(), prior(), Dds(steps=4), seeds=[1, 2, 3, 4, 5])
    torch.testing.assert_close(drawn.images, expected.images, rtol=1e-5, atol=1e-5)


def test_many_samples_are_drawn_in_groups_so_that_memory_does_not_grow_as_networks_do():
    watched = Short(1000)
    drawn = sample(scan(), watched, Dds(steps=1), seeds=range(70))
    assert len(drawn.images) == 70
    assert watched.sizes == [32, 32, 6]
    few, many = (sample_bytes(scan(), count, 10_000.0) for count in (32, 320))
    assert few < many < 1.1 * few


def test_memory_that_is_too_short_for_one_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        sample(scan(), Short(0), Dds(steps=4), seeds=[1, 2])


def test_a_deadline_leaves_at_least_one_step_and_says_so():
    drawn = sample(scan(), prior(), Dds(steps=1000), seeds=[1], seconds=1e-9)
    assert drawn.steps == 1
    assert drawn.requested == 1000
    assert drawn.images.isfinite().all()


def test_seeds_differ_between_sessions_images_and_samples():
    places = itertools.product((0, 1), ((0,), (1,), (0, 0)))
    seeds = [seed for session, place in places for seed in sample_seeds(session, place, 3)]
    assert len(set(seeds)) == len(seeds)
    assert sample_seeds(0, (1,), 2) == sample_seeds(0, (1,), 3)[:2]


def test_an_ensemble_gives_one_image_of_every_slice_at_a_time():
    images = list(diffusion_ensemble(prior(), Dds(steps=3), 4)(scan(slices=2)))
    assert [image.shape for image in images] == [(2, *SIZE)] * 4
    assert (images[0] - images[1]).abs().max() > 0.01


def volume():
    """The scans of three slices as one of a volume: what they hold of kz is the transform of what they hold of z."""
    slices = scan(slices=3)
    kspace, mask, maps = (part.transpose(0, 1)[None] for part in (slices.kspace, slices.mask, slices.maps))
    return Measurements(FourierOperator((-3,))(kspace), mask, maps, slices.noise)


@pytest.mark.parametrize("sampler", [VolumeDds(steps=6), Dds(steps=6)])
def test_volumes_are_drawn_one_by_one_and_are_the_same_whatever_they_are_drawn_with(sampler):
    counted, told = Short(3), []
    drawn = sample(volume(), counted, sampler, seeds=[1, 2], progress=lambda *step: told.append(step))
    assert drawn.images.shape == (2, 3, *SIZE)
    assert drawn.together == 1
    assert counted.sizes == [3] * 12
    assert told == [(n, 12) for n in range(1, 13)]
    assert not drawn.images[..., :2].any()
    alone = sample(volume(), prior(), sampler, seeds=[2]).images
    assert torch.equal(drawn.images[1:], alone)
    assert (drawn.images[0] - alone[0]).abs().max() > 0.1


def test_a_volume_within_a_deadline_takes_fewer_steps():
    drawn = sample(volume(), prior(), VolumeDds(steps=1000), seeds=[1], seconds=1e-9)
    assert drawn.steps == 1
    assert drawn.requested == 1000


def test_a_volume_of_which_partitions_were_left_out_is_reconstructed():
    whole = volume()
    mask = whole.mask.clone()
    mask[:, :, 0] = False
    image = sample(replace(whole, kspace=whole.kspace * mask, mask=mask), prior(), VolumeDds(), seeds=[1]).images
    full = sample(whole, prior(), VolumeDds(), seeds=[1]).images
    assert torch.linalg.vector_norm(image - full) < 1.5 * torch.linalg.vector_norm(full)
    assert image.isfinite().all()


def test_single_slices_are_no_volumes():
    with pytest.raises(ValueError, match="expected stacks of slices"):
        sample(scan(), prior(), VolumeDds(), seeds=[1])


def test_memory_of_a_volume_grows_with_its_samples_but_not_as_networks_do():
    stack = replace(volume(), **{n: getattr(volume(), n).repeat(1, 1, 8, 1, 1) for n in ("kspace", "mask", "maps")})
    assert sample_bytes(scan(), 4, 6000.0) == 24000 + 4 * 3 * 8
    one, more = (sample_bytes(stack, samples, 6000.0) for samples in (1, 11))
    assert one < 6000
    assert more - one == 10 * 3 * 8
