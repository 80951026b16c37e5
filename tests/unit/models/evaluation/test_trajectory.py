"""Estimates on the way to a sample."""

import numpy as np
import pytest
import torch
from PIL import Image

from echotrain.models.evaluation.simulated_cases import simulated_cases
from echotrain.models.evaluation.trajectory import draw_trajectories, trajectory
from echotrain.models.samplers.dds import Dds
from echotrain.models.samplers.diffusion_reconstruction import sample


class White:
    """x ~ N(0, 1) in each part."""

    sigmas = (0.0, float("inf"))

    def denoise(self, x, sigma):
        return x / (1 + sigma**2)


@pytest.fixture
def case(heads):
    return next(simulated_cases(heads[:1], 2))


def test_estimates_are_spread_over_the_steps_and_end_at_the_sample(case):
    run = trajectory(case.measurements, White(), Dds(steps=9), seed=3, shown=3)
    assert [estimate.step for estimate in run] == [1, 5, 9]
    drawn = sample(case.measurements, White(), Dds(steps=9), seeds=[3])
    torch.testing.assert_close(run[-1].image, drawn.images[0])
    assert not torch.equal(run[0].image, run[1].image)


def test_a_run_of_fewer_steps_than_are_asked_for_shows_each(case):
    run = trajectory(case.measurements, White(), Dds(steps=2), seed=0, shown=5)
    assert [estimate.step for estimate in run] == [1, 2]


def test_a_picture_has_a_row_for_each_run(case, tmp_path):
    runs = {n: trajectory(case.measurements, White(), Dds(steps=n), seed=0, shown=3) for n in (1, 3)}
    sizes = []
    for names in ((3,), (3, 1)):
        file = tmp_path / f"{len(names)}.png"
        draw_trajectories(file, "title", case.reference[0], {f"dds, {n}": runs[n] for n in names})
        with Image.open(file) as picture:
            sizes.append(picture.size)
            pixels = np.asarray(picture.convert("L"))
    assert sizes[0][0] == sizes[1][0]
    assert sizes[1][1] > 1.8 * sizes[0][1]
    black = (pixels < 8).mean(axis=0)  # the second row has one estimate and no reference: its right half is paper
    assert black[: len(black) // 3].mean() > 1.5 * black[len(black) // 2 :].mean()
