"""Gradients through whole reconstructions, against finite differences."""

from dataclasses import replace

import pytest
import torch

from echotrain.models.classical.cg_sense import CGSense
from echotrain.models.measurements import Measurements
from echotrain.models.networks.build import build
from echotrain.models.perturbation.attacked import Attacked
from echotrain.models.perturbation.few_step_diffusion import FewStepDiffusion
from echotrain.models.perturbation.objective import Objective
from echotrain.models.samplers.dds import Dds


class Shrinking:
    """A prior of independent pixels of variance 1."""

    sigmas = (0.001, 100.0)

    def __init__(self):
        self.evaluations = 0

    def denoise(self, x, sigma):
        self.evaluations += 1
        return x / (1 + sigma.square())


def small_network(architecture, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(architecture, options)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1 and not parameter.any():  # what begins as zero
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network.eval().requires_grad_(requires_grad=False)


def test_conjugate_gradients_pass_gradcheck_with_and_without_a_target(make_scan):
    scan = make_scan(coils=2, size=(4, 3), acceleration=2)
    scan = Measurements(scan.kspace.to(torch.complex128), scan.mask, scan.maps.to(torch.complex128))
    reconstruct = CGSense(iterations=3)
    delta = torch.randn(scan.kspace.shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(2))
    for target in (None, torch.ones(4, 3, dtype=torch.complex128)):
        objective = Objective(reconstruct(scan), region=torch.arange(12).view(4, 3) % 2 + 1, target=target)

        def value(change, objective=objective):
            return objective(reconstruct(replace(scan, kspace=scan.kspace + change)))

        assert torch.autograd.gradcheck(value, (delta.requires_grad_(),))


@pytest.mark.parametrize(
    "reconstruct",
    [
        small_network("unet", channels=4, pools=2),
        small_network("admm_net", stages=2, channels=4, pools=2, iterations=20),
        small_network("modl", unrolls=2, channels=4, pools=2, iterations=20),
        small_network("varnet", cascades=2, channels=4, pools=2),
        small_network("irim", steps=2, channels=8, hidden=4, strides=[1, 2]),
        FewStepDiffusion(Shrinking(), Dds(steps=2), (0, 1)),
    ],
    ids=["unet", "admm_net", "modl", "varnet", "irim", "diffusion"],
)
def test_the_gradient_of_an_attack_is_that_of_finite_differences(make_scan, reconstruct):
    scan = replace(make_scan(size=(16, 12)), noise=0.1)  # known: gradients do not see how it would be estimated
    attacked = Attacked(reconstruct, scan)
    generator = torch.Generator().manual_seed(0)
    here, along = (
        0.3 * torch.randn(scan.kspace.shape, dtype=torch.complex64, generator=generator) * scan.mask for _ in range(2)
    )
    _, gradient = attacked.evaluate(here, gradient=True)
    step = 0.01  # short: leaky rectifiers have kinks between the two
    ahead, back = (attacked.evaluate(here + sign * step * along, gradient=False)[0] for sign in (1, -1))
    torch.testing.assert_close(
        (gradient.conj() * along).real.sum()[None], (ahead - back) / (2 * step), rtol=0.05, atol=1e-4
    )


def test_diffusion_keeps_no_activations_and_computes_them_anew(make_scan):
    prior = Shrinking()
    attacked = Attacked(FewStepDiffusion(prior, Dds(steps=3), (5,)), make_scan(size=(8, 8)))
    delta = torch.zeros(1, 3, 8, 8, dtype=torch.complex64)
    for gradient, evaluations in ((False, 3), (True, 5)):
        prior.evaluations = 0  # the first image is noise alone, and needs no gradient
        attacked.evaluate(delta + 0.01, gradient=gradient)
        assert prior.evaluations == evaluations


def test_samples_of_other_seeds_differ_and_the_same_seed_gives_the_same(make_scan):
    scan = make_scan(batch=2, size=(8, 8))
    images = FewStepDiffusion(Shrinking(), Dds(steps=2, eta=0.9), (0, 1, 0))(scan)
    assert images.shape == (2, 3, 8, 8)
    assert torch.equal(images[:, 0], images[:, 2])
    assert not torch.equal(images[:, 0], images[:, 1])
