"""Projection onto balls, and their steepest and random elements."""

import pytest
import torch

from echotrain.models.perturbation.ball import Ball, ball_about, item_norm


def ball(norm):
    mask = torch.tensor([[True, True, False, True]]).expand(2, 4)
    return Ball(norm, torch.tensor([[1.0], [2.0]]), mask)


def test_the_l2_ball_scales_what_lies_outside_and_drops_what_was_not_sampled():
    delta = torch.tensor([[3.0, 4j, 9.0, 0.0], [0.3, 0.4, 9.0, 0.0]]).to(torch.complex64)
    expected = torch.tensor([[0.6, 0.8j, 0.0, 0.0], [0.3, 0.4, 0.0, 0.0]]).to(torch.complex64)
    torch.testing.assert_close(ball("l2").project(delta), expected)


def test_the_linf_ball_clips_the_modulus_of_each_entry_and_keeps_its_phase():
    delta = torch.tensor([[3 + 4j, 0.5j, 9.0, -2.0], [3 + 4j, 0.5j, 9.0, -2.0]]).to(torch.complex64)
    expected = torch.tensor([[0.6 + 0.8j, 0.5j, 0.0, -1.0], [1.2 + 1.6j, 0.5j, 0.0, -2.0]]).to(torch.complex64)
    torch.testing.assert_close(ball("linf").project(delta), expected)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_projection_is_idempotent_and_changes_nothing_inside(norm):
    generator = torch.Generator().manual_seed(0)
    delta = torch.randn(2, 4, dtype=torch.complex64, generator=generator)
    once = ball(norm).project(5 * delta)
    torch.testing.assert_close(ball(norm).project(once), once)
    inside = 0.1 * delta * ball(norm).mask
    assert torch.equal(ball(norm).project(inside), inside)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_no_element_has_a_larger_inner_product_with_a_gradient_than_the_steepest(norm):
    generator = torch.Generator().manual_seed(1)
    gradient = torch.randn(2, 4, dtype=torch.complex64, generator=generator)
    steepest = ball(norm).steepest(gradient)
    others = [ball(norm).project(10 * torch.randn(2, 4, dtype=torch.complex64, generator=generator)) for _ in range(99)]
    best = torch.stack([(other.conj() * gradient).real.sum(dim=1) for other in others]).amax(dim=0)
    assert ((steepest.conj() * gradient).real.sum(dim=1) >= best).all()
    torch.testing.assert_close(ball(norm).project(steepest), steepest)
    assert not ball(norm).steepest(torch.zeros_like(gradient)).any()


def test_random_elements_lie_on_the_sphere_of_each_item():
    for norm in ("l2", "linf"):
        delta = ball(norm).random(torch.Generator().manual_seed(0))
        size = delta.abs().amax(dim=1, keepdim=True) if norm == "linf" else item_norm(delta)
        torch.testing.assert_close(size, ball(norm).radius)
        assert not delta[~ball(norm).mask].any()


def test_the_linf_ball_of_a_scan_lies_within_its_l2_ball(make_scan):
    scan = make_scan(batch=2)
    corner = ball_about(scan, 0.1, "linf").random(torch.Generator().manual_seed(0))
    torch.testing.assert_close(item_norm(corner), ball_about(scan, 0.1).radius)


def test_norms_of_any_scale_are_finite():
    a = torch.full((1, 3, 4), 1e-30 + 0j, dtype=torch.complex64)
    torch.testing.assert_close(item_norm(a), torch.full((1, 1, 1), 12**0.5 * 1e-30), rtol=1e-5, atol=0)
    torch.testing.assert_close(float(item_norm(a * 1e30 * 1e30)), 12**0.5 * 1e30, rtol=1e-5, atol=0)
    assert float(item_norm(a * 0)) == 0
