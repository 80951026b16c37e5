from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.models.classical.convolutional_decoder import ConvolutionalDecoder
from echotrain.models.classical.deep_image_prior import DeepImagePrior
from echotrain.models.measurements import Measurements
from echotrain.models.operators.sense import SenseOperator
from echotrain.models.simulation.sampling_masks import centre_block, random_lines

SMALL = DeepImagePrior(channels=16, layers=4, iterations=250, patience=250)


def measured(image, acceleration=2.5, noise=0.0, seed=0):
    """Two coils, random lines."""
    n = image.shape[-2]
    rng = np.random.default_rng(seed)
    mask = torch.from_numpy(random_lines((n,), acceleration, rng, always=centre_block(n, n // 8)))[None, None, :, None]
    ramp = torch.linspace(0.2, 1.2, n)[:, None].expand(n, image.shape[-1])
    maps = torch.stack((torch.cos(ramp), torch.sin(ramp))).to(torch.complex64)[None].expand(len(image), -1, -1, -1)
    mask = mask.expand(len(image), -1, -1, -1)
    kspace = SenseOperator(maps, mask)(image)
    generator = torch.Generator().manual_seed(seed)
    kspace = kspace + noise * torch.randn(kspace.shape, dtype=kspace.dtype, generator=generator) * mask
    return Measurements(kspace, mask, maps)


def disc(n=32):
    """A disc with a smaller one in it and a linear slope across."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, n), torch.linspace(-1, 1, n), indexing="ij")
    return ((y**2 + x**2 < 0.7) * (1 + 0.4 * y) + 0.8 * ((y - 0.2) ** 2 + x**2 < 0.1)).to(torch.complex64)[None]


def error(found, expected):
    return float((found - expected).norm() / expected.norm())


def test_a_linear_phantom_without_noise_is_recovered():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 30), indexing="ij")
    image = (2 + y - 0.5 * x + 0.3j).to(torch.complex64)[None]
    problem = measured(image)
    found = SMALL(problem)
    assert found.shape == image.shape
    assert found.dtype == torch.complex64
    assert error(found, image) < 0.5 * error(problem.zero_filled(), image)
    assert error(found, image) < 0.05


def test_a_phantom_becomes_better_than_zero_filled():
    image = disc()
    problem = measured(image, noise=0.01)
    assert error(SMALL(problem), image) < 0.7 * error(problem.zero_filled(), image)


def test_the_seed_decides_and_slices_do_not_see_each_other():
    quick = replace(SMALL, iterations=15)
    problem = measured(torch.cat((disc(24), 2 * disc(24).mT)))
    together = quick(problem)
    torch.manual_seed(5)
    assert torch.equal(quick(problem), together)
    alone = Measurements(problem.kspace[1:], problem.mask[1:], problem.maps[1:])
    assert torch.equal(quick(alone), together[1:])
    assert not torch.equal(replace(quick, seed=1)(problem), together)


def test_the_fit_stops_when_held_out_samples_say_so():
    noise = torch.randn(1, 24, 24, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    problem = measured(noise, noise=1.0)
    stopped = replace(SMALL, patience=5, trust=1e6)(problem)  # this trust leaves the network's image as it is
    on = replace(SMALL, patience=5, trust=1e6, iterations=500)(problem)
    assert torch.equal(stopped, on), "it had stopped of itself"


@pytest.mark.parametrize("scale", [1e-6, 1e5])
def test_the_unit_of_kspace_is_free(scale):
    quick = replace(SMALL, iterations=5)
    problem = measured(disc(24))
    scaled = replace(problem, kspace=scale * problem.kspace)
    assert error(quick(scaled) / scale, quick(problem)) < 1e-3


def test_zeros_give_zeros_and_volumes_are_refused():
    problem = measured(disc(24))
    assert not SMALL(replace(problem, kspace=0 * problem.kspace)).any()
    volume = torch.zeros(1, 2, 4, 8, 8, dtype=torch.complex64)
    mask = torch.ones(1, 1, 4, 8, 8, dtype=torch.bool)
    with pytest.raises(ValueError, match="k-space has 5 axes, expected slices"):
        SMALL(Measurements(volume, mask, volume))


@pytest.mark.parametrize("size", [(32, 32), (21, 47), (6, 100)])
def test_the_decoder_grows_to_any_size(size):
    decoder = ConvolutionalDecoder(4, 5, size)
    assert decoder(torch.randn(1, 4, *decoder.start(size))).shape == (1, 2, *size)
