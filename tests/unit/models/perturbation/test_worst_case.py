"""Worst cases of linear reconstructions are known; those of networks are worse than noise."""

from dataclasses import replace

import pytest
import torch

from echotrain.models.classical.cg_sense import CGSense
from echotrain.models.classical.total_variation import TotalVariation
from echotrain.models.classical.zero_filled import ZeroFilled
from echotrain.models.perturbation.worst_case import perturbed, random_control, worst_case

EPSILON = 0.01


def least_squares(scan):
    """Return a linear reconstruction, by a dense solve, as a function of measurements."""
    operator = scan.operator()
    pixels = scan.maps[0, 0].numel()
    units = torch.eye(pixels, dtype=torch.complex64).view(pixels, *scan.maps.shape[2:])
    normal = torch.stack([operator.normal(unit[None])[0].flatten() for unit in units], dim=1)
    inverse = torch.linalg.inv(normal + 0.01 * torch.eye(pixels))

    def reconstruct(measurements):
        image = measurements.zero_filled()
        return (image.flatten(1) @ inverse.T).view(image.shape)

    return reconstruct


def optimum(reconstruct, scan, matrix_of):
    """Return the largest relative change of the image."""
    largest = torch.linalg.matrix_norm(matrix_of(reconstruct, scan), 2)
    return float(EPSILON * scan.kspace.norm() * largest / reconstruct(scan).norm())


@pytest.mark.parametrize("method", ["tikhonov", "zero-filled"])
def test_the_worst_case_of_a_linear_reconstruction_is_its_largest_singular_value(make_scan, matrix_of, seeded, method):
    scan = make_scan()
    reconstruct = least_squares(scan) if method == "tikhonov" else ZeroFilled()
    best = optimum(reconstruct, scan, matrix_of)
    attack = worst_case(reconstruct, scan, epsilon=EPSILON, iterations=200, generator=seeded())
    assert 0.99 * best < float(attack.gain[0]) <= 1.0001 * best
    assert float(attack.begun[0]) < 0.8 * best


def test_adam_falls_short_of_that_and_is_still_worse_than_noise(make_scan, matrix_of, seeded):
    scan = make_scan()
    reconstruct = least_squares(scan)
    best = optimum(reconstruct, scan, matrix_of)
    attack = worst_case(reconstruct, scan, epsilon=EPSILON, iterations=200, generator=seeded(), method="adam")
    assert float(attack.begun[0]) < 0.8 * best
    assert 0.85 * best < float(attack.gain[0]) <= 1.0001 * best


def test_conjugate_gradients_are_attacked_through_their_iterations(make_scan, seeded):
    scan = make_scan()
    attack = worst_case(CGSense(iterations=6), scan, epsilon=EPSILON, iterations=10, generator=seeded())
    assert float(attack.gain[0]) > 1.3 * float(attack.begun[0])


def test_one_coil_and_zero_filling_change_the_image_by_the_norm_of_the_perturbation(make_scan, seeded):
    scan = make_scan(coils=1)
    attack = worst_case(ZeroFilled(), scan, epsilon=EPSILON, iterations=3, generator=seeded())
    change = ZeroFilled()(perturbed(scan, attack.delta)) - ZeroFilled()(scan)
    torch.testing.assert_close(change.norm(), attack.delta.norm(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("method", ["pgd", "adam"])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_budget_is_kept_and_the_best_so_far_never_falls(make_scan, seeded, norm, method):
    scan = make_scan(batch=2)
    attack = worst_case(
        CGSense(iterations=4), scan, epsilon=0.03, iterations=6, generator=seeded(), norm=norm, method=method
    )
    assert attack.curve.shape == (6, 2)
    assert (attack.curve.diff(dim=0) >= 0).all()
    assert (attack.curve[0] >= attack.begun).all()
    torch.testing.assert_close(attack.curve[-1], attack.gain, rtol=1e-4, atol=0)
    for delta, y in zip(attack.delta, scan.kspace, strict=True):
        assert float(delta.norm()) <= 0.03 * float(y.norm()) * (1 + 1e-5)
        if norm == "linf":
            level = y[y != 0].abs().square().mean().sqrt()
            assert float(delta.abs().max()) <= 0.03 * float(level) * (1 + 1e-5)
    assert not attack.delta[~scan.mask.expand(scan.kspace.shape)].any()


def test_no_budget_leaves_the_scan_and_its_image_to_the_bit(make_scan, seeded):
    scan = make_scan()
    attack = worst_case(CGSense(), scan, epsilon=0.0, iterations=2, generator=seeded())
    same = perturbed(scan, attack.delta)
    assert torch.equal(
        torch.view_as_real(same.kspace).view(torch.int32), torch.view_as_real(scan.kspace).view(torch.int32)
    )
    assert torch.equal(CGSense()(same), CGSense()(scan))
    assert not attack.gain.any()


def test_slices_are_searched_each_by_itself_however_many_are_reconstructed_together(make_scan, seeded):
    scan = make_scan(batch=3)
    options = {"epsilon": EPSILON, "iterations": 4}
    whole = worst_case(CGSense(iterations=4), scan, generator=seeded(), **options)
    parts = worst_case(CGSense(iterations=4), scan, generator=seeded(), together=2, **options)
    first = worst_case(CGSense(iterations=4), scan.split()[0], generator=seeded(), **options)
    again = worst_case(CGSense(iterations=4), scan, generator=seeded(), **options)
    assert torch.equal(whole.delta, again.delta)
    torch.testing.assert_close(parts.delta, whole.delta, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(first.delta, whole.delta[:1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_scale_of_k_space_does_not_matter(make_scan, seeded, scale):
    options = {"epsilon": EPSILON, "iterations": 3}
    for method in ("pgd", "adam"):
        ours = worst_case(CGSense(iterations=4), make_scan(), generator=seeded(), method=method, **options)
        scaled = make_scan(scale=scale)
        other = worst_case(CGSense(iterations=4), scaled, generator=seeded(), method=method, **options)
        torch.testing.assert_close(other.gain, ours.gain, rtol=1e-3, atol=0)
        torch.testing.assert_close(other.delta / scale, ours.delta, rtol=1e-2, atol=1e-4)


def test_an_attack_starts_where_it_is_told(make_scan, seeded):
    scan = make_scan()
    small = worst_case(CGSense(iterations=4), scan, epsilon=0.005, iterations=8, generator=seeded())
    fresh = worst_case(CGSense(iterations=4), scan, epsilon=0.01, iterations=1, generator=seeded())
    warm = worst_case(
        CGSense(iterations=4), scan, epsilon=0.01, iterations=1, generator=seeded(), start=2 * small.delta
    )
    assert float(warm.gain[0]) > float(fresh.gain[0])


def test_a_region_is_changed_more_than_by_an_attack_on_the_whole_image(make_scan, seeded):
    scan = make_scan(size=(16, 14))
    region = torch.zeros(16, 14)
    region[2:6, 3:8] = 1
    options = {"epsilon": EPSILON, "iterations": 20}
    whole = worst_case(CGSense(iterations=8), scan, generator=seeded(), **options)
    aimed = worst_case(CGSense(iterations=8), scan, generator=seeded(), region=region, **options)
    assert float((aimed.change * region).norm()) > 1.1 * float((whole.change * region).norm())


def test_a_chosen_structure_appears(make_scan, seeded):
    scan = make_scan(size=(16, 14), acceleration=2)
    target = torch.zeros(16, 14, dtype=torch.complex64)
    target[6:9, 5:9] = 0.05
    attack = worst_case(CGSense(iterations=8), scan, epsilon=0.1, iterations=60, generator=seeded(), target=target)
    assert float(attack.curve[-1, 0]) > 0.5
    assert float(attack.begun[0]) < 0
    shown = torch.vdot(target.flatten(), attack.change[0].flatten()).real / target.norm() ** 2
    assert 0.5 < float(shown) < 1.5


def test_the_random_control_has_the_norm_of_the_budget_and_is_reproducible(make_scan, seeded):
    scan = make_scan(batch=2)
    control = random_control(scan, 0.02, seeded(3))
    torch.testing.assert_close(
        control.flatten(1).norm(dim=1), 0.02 * scan.kspace.flatten(1).norm(dim=1), rtol=1e-5, atol=0
    )
    assert torch.equal(control, random_control(scan, 0.02, seeded(3)))
    assert not torch.equal(control, random_control(scan, 0.02, seeded(4)))
    assert not control[~scan.mask.expand(control.shape)].any()


@pytest.mark.parametrize("epsilon", [-0.1, 1.5, float("nan")])
def test_a_budget_out_of_range_is_refused(make_scan, seeded, epsilon):
    with pytest.raises(ValueError, match="expected 0 to 1"):
        worst_case(ZeroFilled(), make_scan(), epsilon=epsilon, iterations=1, generator=seeded())


def test_a_scan_without_a_sampled_line_is_refused(make_scan, seeded):
    scan = make_scan()
    empty = replace(scan, mask=torch.zeros_like(scan.mask))
    with pytest.raises(ValueError, match="no sampled line"):
        worst_case(ZeroFilled(), empty, epsilon=0.1, iterations=1, generator=seeded())


def test_a_reconstruction_without_gradients_is_refused(make_scan, seeded):
    with pytest.raises(ValueError, match="without gradients"):
        worst_case(torch.no_grad()(ZeroFilled()), make_scan(), epsilon=0.1, iterations=1, generator=seeded())


def test_a_gradient_that_is_not_finite_is_refused(make_scan, seeded):
    scan = make_scan()
    flat = replace(scan, maps=scan.maps * 0, kspace=scan.kspace)
    with pytest.raises(ValueError, match="not finite"):
        worst_case(TotalVariation(iterations=2), flat, epsilon=0.1, iterations=1, generator=seeded())


def test_an_attack_works_within_inference_mode(make_scan, seeded):
    expected = worst_case(ZeroFilled(), make_scan(), epsilon=EPSILON, iterations=2, generator=seeded())
    with torch.inference_mode():
        inside = worst_case(ZeroFilled(), make_scan(), epsilon=EPSILON, iterations=2, generator=seeded())
    assert torch.equal(inside.delta, expected.delta)


def test_a_silent_scan_has_no_worst_case(make_scan, seeded):
    scan = make_scan()
    silent = replace(scan, kspace=torch.zeros_like(scan.kspace))
    attack = worst_case(ZeroFilled(), silent, epsilon=EPSILON, iterations=2, generator=seeded())
    assert not attack.delta.any()
    assert not attack.gain.any()
