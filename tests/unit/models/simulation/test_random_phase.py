import numpy as np
import pytest

from echotrain.models.simulation.random_phase import random_phase, tissue_phase


@pytest.mark.parametrize("seed", range(5))
def test_the_phase_is_smooth_and_of_modulus_one(seed):
    phase = random_phase((96, 128), np.random.default_rng(seed))
    np.testing.assert_allclose(np.abs(phase), 1, atol=1e-5)
    for step in (phase[1:] * phase[:-1].conj(), phase[:, 1:] * phase[:, :-1].conj()):
        assert np.abs(np.angle(step)).max() < np.pi / 6  # from pixel to pixel


def test_the_phase_varies_over_the_image_and_from_draw_to_draw():
    rng = np.random.default_rng(0)
    phases = np.array([random_phase((32, 32), rng) for _ in range(40)])
    assert np.abs(phases.mean(axis=(1, 2))).mean() < 0.8  # 1 if it were constant over each image
    assert np.abs(phases.mean(axis=0)).mean() < 0.3  # 1 if all were alike


def test_without_ramps_and_bumps_the_phase_is_a_constant():
    phase = random_phase((16, 16), np.random.default_rng(0), ramp=0.0, field=0.0)
    np.testing.assert_allclose(phase, phase[0, 0], atol=1e-6)


@pytest.fixture(scope="module")
def head():
    y, x = np.mgrid[-1:1:96j, -1:1:80j]
    r = np.hypot(x, y)
    return np.where(r < 0.8, 0.3 + 0.6 * (r > 0.7) + 0.2 * (x * y > 0), 0)


def test_tissue_of_strength_zero_adds_no_phase(head):
    np.testing.assert_array_equal(tissue_phase(head, np.random.default_rng(0), 0.0), 1)


def test_tissue_phase_has_modulus_one_and_grows_with_its_strength(head):
    weak, strong = (tissue_phase(head, np.random.default_rng(3), s) for s in (0.01, 1.0))
    np.testing.assert_allclose(np.abs(strong), 1, atol=1e-5)
    inside = head > 0
    # wrapped or not: exp(i 100 phi) is exp(i phi) to the hundredth power
    np.testing.assert_allclose(weak[inside] ** 100, strong[inside], atol=1e-2)


def test_tissues_differ_in_phase_where_smooth_phases_do_not(head):
    rng = np.random.default_rng(0)
    left, right = np.s_[40:44, 20:24], np.s_[52:56, 20:24]  # of different tissue, a few pixels apart
    assert head[left].mean() != head[right].mean()
    steps = [
        np.angle(p[left].mean() * p[right].mean().conj()) for p in (tissue_phase(head, rng, 1.0) for _ in range(50))
    ]
    assert np.std(steps) > 0.1
