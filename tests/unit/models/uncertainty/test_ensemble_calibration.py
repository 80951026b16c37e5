import numpy as np
import pytest
import torch
from scipy.stats import t

from echotrain.models.evaluation.case import Case
from echotrain.models.measurements import Measurements
from echotrain.models.uncertainty.case_intervals import case_intervals
from echotrain.models.uncertainty.ensemble_calibration import calibrate_ensemble, evaluate_ensemble
from echotrain.models.uncertainty.kept_rows import KeptRows

SAMPLES = 20
CPU = torch.device("cpu")
OVERCONFIDENT = 3.0  # times, that errors are larger than the ensemble's spread


def cases(count, seed=0):
    """Slices whose measurements hold their mean image, and whose truth is that with an error."""
    rng = np.random.default_rng(seed)
    everything = torch.ones(1, 1, 20, 1, dtype=torch.bool)
    for _ in range(count):
        image = torch.from_numpy(rng.uniform(50, 60, (1, 1, 20, 20)).astype(np.complex64))
        error = torch.from_numpy(OVERCONFIDENT * rng.standard_normal((1, 20, 20))).float()
        measurements = Measurements(image, everything, torch.ones_like(image), noise=0.01)
        yield Case("numbers", 1.0, "uniform", measurements, image[:, 0].abs() + error)


def ensemble(measurements):
    """Samples of unit deviation about what was measured."""
    generator = torch.Generator().manual_seed(int(measurements.kspace.abs().sum()))
    for _ in range(SAMPLES):
        yield measurements.kspace[:, 0] + torch.randn(1, 20, 20, generator=generator)


@pytest.mark.parametrize(
    ("construction", "exact"),
    [
        ("deviation", OVERCONFIDENT * t.isf(0.05, SAMPLES - 1)),
        ("quantiles", OVERCONFIDENT * 1.24),
    ],  # of 20: by simulation
)
def test_an_overconfident_ensemble_is_stretched_by_what_it_is_overconfident_by(construction, exact):
    found = calibrate_ensemble(ensemble, cases(150), construction, alpha=0.1, delta=0.1, device=CPU, kept=KeptRows())
    assert exact < found.scale < 1.25 * exact
    metrics = evaluate_ensemble(
        ensemble, cases(20, seed=1), construction, found.scale, data="numbers", device=CPU, kept=KeptRows()
    )
    risk = {metric.case: metric.value for metric in metrics if metric.metric == "risk"}
    assert risk["numbers, uncalibrated, 20 slices"] > 0.5
    assert 0.04 < risk["numbers, calibrated, 20 slices"] <= 0.1


def test_the_noise_is_the_least_that_an_interval_spans():
    case = next(cases(1))
    found = case_intervals(lambda m: iter([m.kspace[:, 0]] * 2), case, "deviation", device=CPU)
    torch.testing.assert_close(found.intervals.below, torch.full((1, 20, 20), 0.01 / 2**0.5))
    assert found.body.all()
    assert found.needed().shape == (400,)


def test_what_was_interrupted_goes_on_to_the_same_numbers(tmp_path):
    asked = []

    def counted(measurements):
        asked.append(measurements)
        return ensemble(measurements)

    def everything(kept):
        found = calibrate_ensemble(counted, cases(30), "deviation", alpha=0.2, delta=0.1, device=CPU, kept=kept)
        return evaluate_ensemble(
            counted, cases(5, seed=1), "deviation", found.scale, data="numbers", device=CPU, kept=kept
        )

    whole = everything(KeptRows())
    assert len(asked) == 35
    calibrate_ensemble(
        counted,
        list(cases(30))[:20],
        "deviation",
        alpha=0.4,
        delta=0.1,
        device=CPU,
        kept=KeptRows(tmp_path / "rows.npz", "it"),
    )
    asked.clear()
    assert everything(KeptRows(tmp_path / "rows.npz", "it")) == whole
    assert len(asked) == 15
    asked.clear()
    assert everything(KeptRows(tmp_path / "rows.npz", "it")) == whole
    assert not asked
