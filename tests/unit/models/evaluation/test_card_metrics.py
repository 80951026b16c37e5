import datetime as dt

import numpy as np
import pytest
import torch

from echotrain.models.evaluation.card_metrics import record_metrics, record_prior
from echotrain.models.evaluation.evaluate import Result
from echotrain.models.evaluation.prior_report import HELD_OUT, SAMPLES, Compared, prior_metrics
from echotrain.models.evaluation.summary import summarise
from echotrain.models.model_card import Metric, ModelCard, ModelError, read_card, write_card
from echotrain.models.trained_range import TrainedRange


@pytest.fixture
def folder(tmp_path):
    write_card(
        ModelCard(
            name="net",
            version=1,
            kind="supervised",
            architecture="unet",
            trained=TrainedRange(
                acceleration=(2, 8), matrix=(96, 128), coils=(1, 8), snr=(10, 100), masks=("uniform",)
            ),
            data=(),
            recipe="net",
            seed=0,
            hardware="none",
            steps=1,
            wall_seconds=1,
            cpu_seconds=1,
            torch="2",
            date=dt.date(2020, 1, 1),
            metrics=(Metric(case="validation", metric="PSNR", value=30.0),),
            limits="",
        ),
        tmp_path,
    )
    return tmp_path


def summaries(psnr, acceleration=4.0):
    place = ("net", "net@1", "simulated", "uniform", acceleration)
    return summarise([Result(*place, number, p, 0.9, 0.1, 1.0) for number, p in enumerate(psnr)])


def test_figures_are_added_and_replace_those_of_the_same_case(folder):
    record_metrics(folder, summaries([30.0, 32.0]))
    record_metrics(folder, summaries([20.0], acceleration=8.0))
    record_metrics(folder, summaries([31.0, 35.0, 33.0]))
    found = {(m.case, m.metric): m for m in read_card(folder).metrics}
    assert found["validation", "PSNR"].value == 30
    assert found["simulated, uniform lines, R = 8, 1 slice", "PSNR"].value == 20
    again = found["simulated, uniform lines, R = 4, 3 slices", "PSNR"]
    assert again.value == 33
    assert again.interval[0] < 33 < again.interval[1]
    assert len(found) == 1 + 3 + 3
    assert "| simulated, uniform lines, R = 4, 3 slices | NRMSE | 0.1 |" in (folder / "README.md").read_text()


def test_figures_of_a_prior_replace_all_former_ones(folder):
    def metrics(count):
        samples = torch.randn(count, 16, 16, dtype=torch.complex64, generator=torch.Generator().manual_seed(count))
        compared = Compared(samples, samples + 1, 2 * samples, "Heun", "some file")
        return prior_metrics(compared, {0.3: np.array([0.2, 0.4])}, sigma_max=80.0)

    record_prior(folder, metrics(3))
    record_metrics(folder, summaries([30.0, 32.0]))
    record_prior(folder, metrics(4))
    cases = [m.case for m in read_card(folder).metrics]
    assert f"{SAMPLES} (4, Heun)" in cases
    assert f"{HELD_OUT} (4, some file)" in cases
    assert not any("(3" in case for case in cases)
    assert {"validation", "simulated, uniform lines, R = 4, 2 slices"} < set(cases)
    found = {(m.case, m.metric): m for m in metrics(4)}
    assert len(found) == len(cases) - 4
    assert found["denoising of held-out images", "rms error over sigma, sigma = 0.3"].value == pytest.approx(0.3)
    assert found[f"{SAMPLES} (4, Heun)", "mean magnitude"].interval is not None
    readme = (folder / "README.md").read_text()
    assert "| denoising of held-out images | rms error over sigma, sigma = 0.3 | 0.3 | 0.2 to 0.4 |" in readme
    assert "samples.png" not in readme
    (folder / "samples.png").touch()
    record_prior(folder, metrics(4))
    assert "(samples.png)" in (folder / "README.md").read_text()


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"card\.toml"):
        record_metrics(tmp_path, summaries([30.0]))
