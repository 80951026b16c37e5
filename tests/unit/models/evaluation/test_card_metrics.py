import datetime as dt

import pytest

from echotrain.models.evaluation.card_metrics import record_metrics
from echotrain.models.evaluation.evaluate import Result, summarise
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
    return summarise([Result("net", "simulated", "uniform", acceleration, p, 0.9, 0.1, 1.0) for p in psnr])


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


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"card\.toml"):
        record_metrics(tmp_path, summaries([30.0]))
