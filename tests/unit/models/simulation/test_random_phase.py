import numpy as np
import pytest

from echotrain.models.simulation.random_phase import random_phase


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
