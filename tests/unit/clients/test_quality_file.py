"""Measured qualities in a file."""

import pytest

from echotrain.clients.quality_file import append_quality, read_qualities
from echotrain.engine.errors import ConfigurationError
from echotrain.models.evaluation.sampler_quality import Quality, Setting

SETTING = Setting("tiny@1 (0123abcd)", "simulated", 8.0, 0, "dds:eta=1.0", "Dds(steps=20, eta=1.0)", 20, 4)
QUALITY = Quality(psnr=30.25, sample_psnr=29.5, spread=0.75)


def test_what_was_appended_is_read(tmp_path):
    file = tmp_path / "q.csv"
    assert read_qualities(file) == {}
    other = Setting("tiny@1 (0123abcd)", "simulated", 8.0, 1, "pc", "PredictorCorrector(steps=1000)", 2000, 4)
    for setting in (SETTING, other):
        append_quality(file, setting, QUALITY)
    assert read_qualities(file) == {SETTING: QUALITY, other: QUALITY}
    assert len(file.read_text().splitlines()) == 3


@pytest.mark.parametrize("text", ["a,b\n1,2\n", ""])
def test_another_table_is_not_taken_for_one(tmp_path, text):
    file = tmp_path / "q.csv"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="no table of qualities"):
        read_qualities(file)


def test_a_damaged_line_is_named(tmp_path):
    file = tmp_path / "q.csv"
    append_quality(file, SETTING, QUALITY)
    append_quality(file, SETTING, QUALITY)
    file.write_text(file.read_text()[:-5] + "x\n")
    with pytest.raises(ConfigurationError, match=r"q\.csv, line 3"):
        read_qualities(file)
