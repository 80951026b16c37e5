"""Amplification of the worst change and of noise, known for linear reconstructions."""

from dataclasses import replace

import pytest
import torch

from echotrain.models.classical.cg_sense import CGSense
from echotrain.models.classical.zero_filled import ZeroFilled
from echotrain.models.perturbation.control import perturbed, random_control
from echotrain.models.perturbation.sensitivity import sensitivity
from echotrain.models.perturbation.worst_case import worst_case


def test_one_coil_and_zero_filling_have_no_direction_to_fear(make_scan, seeded):
    scan = make_scan(coils=1, batch=2)
    found = sensitivity(ZeroFilled(), scan, iterations=2, generator=seeded())
    ones = torch.ones(2)
    for value in (found.ratio, found.worst, found.random):
        torch.testing.assert_close(value, ones, rtol=1e-3, atol=0)
    # the change has the norm of the perturbation, so the map the mean square of R times fewer entries than pixels
    torch.testing.assert_close(found.map.square().mean(dim=(1, 2)), 1 / scan.acceleration(), rtol=1e-3, atol=0)


def start_of(scan):
    """What five steps of CG-SENSE leave unexplained."""
    return scan.operator()(CGSense(iterations=5)(scan)) - scan.kspace


def test_it_is_what_a_short_search_from_the_residual_finds_whatever_the_scale_of_k_space(make_scan, seeded):
    scan = make_scan()
    settings = {"epsilon": 0.01, "iterations": 3, "generator": seeded()}
    attack = worst_case(CGSense(iterations=5), scan, start=1e6 * start_of(scan), **settings)
    noise = random_control(scan, 0.01, seeded())
    by_noise = (CGSense(iterations=5)(perturbed(scan, noise)) - CGSense(iterations=5)(scan)).norm()
    norm = attack.delta.norm()
    for scale in (1.0, 1e6):
        scaled = replace(scan, kspace=scan.kspace * scale)
        found = sensitivity(CGSense(iterations=5), scaled, generator=seeded())
        torch.testing.assert_close(found.worst[0], attack.change.norm() / norm, rtol=1e-3, atol=0)
        torch.testing.assert_close(found.random[0], by_noise / noise.norm(), rtol=1e-3, atol=0)
        torch.testing.assert_close(found.random, found.worst / found.ratio, rtol=1e-3, atol=0)
        torch.testing.assert_close(found.delta / scale, attack.delta, rtol=1e-2, atol=1e-3 * float(norm))
        entries = scan.mask.expand(scan.kspace.shape).sum()
        torch.testing.assert_close(found.map, attack.change.abs() * entries.sqrt() / norm, rtol=1e-2, atol=1e-3)
    assert float(found.ratio[0]) > 1.2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_finds_the_perturbation_that_a_scan_was_attacked_by(make_scan, seeded, seed):
    scan, method = make_scan(), CGSense(iterations=10)
    delta = worst_case(method, scan, epsilon=0.2, iterations=2, generator=seeded(seed)).delta

    def cosine(measurements):
        found = sensitivity(method, measurements, iterations=1, generator=seeded()).delta
        return float(torch.vdot(found.flatten(), delta.flatten()).abs() / (found.norm() * delta.norm()))

    assert cosine(perturbed(scan, delta)) > cosine(scan) + 0.3


def test_noise_is_the_worst_change_where_no_step_finds_a_worse_one(make_scan, seeded):
    found = sensitivity(ZeroFilled(), make_scan(coils=1), iterations=1, generator=seeded())
    assert float(found.ratio[0]) >= 1


def test_that_of_samples_is_their_mean(make_scan, seeded):
    class Stacked:
        def __call__(self, measurements):
            return torch.stack([ZeroFilled()(measurements)] * 3, dim=1)

    scan = make_scan()
    one = sensitivity(ZeroFilled(), scan, generator=seeded())
    three = sensitivity(Stacked(), scan, generator=seeded())
    for name in ("worst", "random", "ratio", "map"):
        torch.testing.assert_close(getattr(three, name), getattr(one, name), rtol=1e-3, atol=1e-4)


def test_a_silent_scan_amplifies_nothing(make_scan, seeded):
    scan = make_scan()
    found = sensitivity(CGSense(), replace(scan, kspace=scan.kspace * 0), iterations=1, generator=seeded())
    for value in (found.worst, found.random, found.ratio, found.map):
        assert torch.equal(value, torch.zeros_like(value))


def test_no_budget_is_refused(make_scan, seeded):
    with pytest.raises(ValueError, match="epsilon = 0"):
        sensitivity(CGSense(), make_scan(), epsilon=0.0, generator=seeded())
