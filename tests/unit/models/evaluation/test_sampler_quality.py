"""What samplers are worth for how much work."""

from dataclasses import dataclass

import pytest
import torch

from echotrain.models.evaluation.case import Case
from echotrain.models.evaluation.quality_figure import draw_quality
from echotrain.models.evaluation.sampler_quality import Quality, Setting, ladder, measure
from echotrain.models.measurements import Measurements
from echotrain.models.operators.sense import SenseOperator
from echotrain.models.samplers.heun import Heun
from echotrain.models.samplers.predictor_corrector import PredictorCorrector
from echotrain.models.samplers.scd import Scd


@dataclass(frozen=True, kw_only=True)
class Scattered:
    """Adds to the start of the problem noise that is small beside it."""

    steps: int = 1
    sigma: float = 0.0

    @property
    def evaluations(self):
        return self.steps

    def __call__(self, problem, prior, noise, /):
        yield problem.start + self.sigma * problem.start.abs().amax() * noise(problem.start)


@pytest.fixture
def case():
    """A slice that is bright everywhere: noise is as much of its magnitude as of its real part."""
    image = (2 + torch.linspace(0, 9, 32).sin()[:, None] * torch.linspace(0, 7, 32).cos()).to(torch.complex64)[None]
    maps, everything = torch.ones(1, 1, 32, 32, dtype=torch.complex64), torch.ones(1, 1, 32, 1, dtype=torch.bool)
    kspace = SenseOperator(maps, everything)(image)
    return Case("exact", 1, "uniform", Measurements(kspace, everything, maps, 1e-3), image.abs())


def test_a_ladder_has_the_steps_that_evaluations_allow():
    assert [s.evaluations for s in ladder(Heun(), (10, 20))] == [9, 19]
    assert [s.steps for s in ladder(PredictorCorrector(), (20, 21))] == [10]
    assert [s.steps for s in ladder(Scd(), (10, 25, 42))] == [5, 6]  # 18 more at the first and at the sixth


def test_a_ladder_keeps_the_settings():
    assert ladder(Heun(churn=7.0), (19,)) == [Heun(churn=7.0)]


@pytest.mark.parametrize("samples", [4, 16])
def test_the_spread_of_samples_about_the_truth_is_the_root_of_their_number_times_the_error_of_their_mean(case, samples):
    found = measure(Scattered(sigma=0.1), None, case, samples=samples, seed=0)
    assert found.spread == pytest.approx(samples**0.5, rel=0.15)
    assert found.psnr - found.sample_psnr == pytest.approx(10 * torch.tensor(samples).log10().item(), abs=1.5)


def test_samples_that_are_alike_have_no_spread(case):
    found = measure(Scattered(), None, case, samples=2, seed=0)
    assert found.spread < 1e-3
    assert found.psnr == pytest.approx(found.sample_psnr)
    assert found.psnr > 30


def test_a_picture_is_drawn_of_means_over_slices(tmp_path):
    points = {
        Setting("p", "d", 8.0, n, name, f"{name}({steps})", steps, 4): Quality(20.0 + n + steps, 20.0, 0.5)
        for n in range(2)
        for name in ("a", "b")
        for steps in (5, 10)
    }
    draw_quality(tmp_path / "q.png", "title", points, {"ground": 21.0}, 0.9)
    assert 5_000 < (tmp_path / "q.png").stat().st_size < 200_000
