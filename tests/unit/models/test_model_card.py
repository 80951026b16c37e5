import datetime as dt
import math
import tomllib

import pytest

from echotrain.models.model_card import Metric, ModelCard, ModelError, Source, read_card, write_card
from echotrain.models.model_readme import model_readme
from echotrain.models.toml_text import toml_text
from echotrain.models.trained_range import TrainedRange

TRAINED = TrainedRange(
    acceleration=(2.0, 12.0), matrix=(96, 128), coils=(4, 12), snr=(10.0, math.inf), masks=("uniform", "equispaced")
)


def card(**changes):
    values = {
        "name": "varnet",
        "version": 3,
        "kind": "supervised",
        "architecture": "varnet",
        "options": {"cascades": 2, "maps": "given", "shared": True},
        "sha256": "0" * 64,
        "parameters": 123_456,
        "trained": TRAINED,
        "data": (Source(title='Pernuš: "Brains"', licence="CC-BY"),),
        "recipe": "varnet",
        "seed": 7,
        "hardware": "2 cores",
        "steps": 2000,
        "wall_seconds": 1800.0,
        "cpu_seconds": 3500.5,
        "torch": "2.13.0",
        "date": dt.date(2026, 1, 2),
        "metrics": (Metric(case="R=8", metric="PSNR", value=33.25, interval=(32.5, 34.0)),),
        "limits": "Brains only.\nNo spines.",
    }
    return ModelCard(**{**values, **changes})


def test_a_card_reads_back_as_it_was_written(tmp_path):
    write_card(card(), tmp_path)
    assert read_card(tmp_path) == card()


@pytest.mark.parametrize(
    "value",
    [
        'quote " and \\ and\nnewline',
        "Špiclin µ \x7f \U0001f9e0",
        True,
        -3,
        1e-7,
        math.inf,
        dt.date(2026, 1, 2),
        [1, 2],
        {},
        {"x": [1]},
    ],
)
def test_toml_text_is_read_back_by_the_standard_library(value):
    document = {"plain": value, "table": {"a key": value}, "several": [{"x": value}, {"y": value}]}
    assert tomllib.loads(toml_text(document)) == document


def test_what_toml_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="got None of type NoneType"):
        toml_text({"nothing": None})


def test_a_damaged_card_says_what_is_wrong_with_it(tmp_path):
    with pytest.raises(ModelError, match=r"card\.toml cannot be read: .*No such file"):
        read_card(tmp_path)
    (tmp_path / "card.toml").write_text("name = ")
    with pytest.raises(ModelError, match=r"card\.toml cannot be read: Invalid value"):
        read_card(tmp_path)
    (tmp_path / "card.toml").write_text('name = "../etc"\nversion = 0\nbackdoor = 1\n')
    with pytest.raises(ModelError) as caught:
        read_card(tmp_path)
    for fault in ("name: String should match", "version: Input should be greater", "backdoor: Extra inputs"):
        assert fault in str(caught.value)


def test_the_readme_tells_people_what_the_card_tells_programs():
    text = model_readme(card(), curves=True)
    for part in (
        "# varnet@3",
        "123,456 parameters",
        "`echotrain train varnet`, seed 7: 2,000 steps in 30.0 min",
        "acceleration 2 to 12, matrix 96 to 128, coils 4 to 12, SNR 10 to inf",
        "uniform, equispaced",
        "![Loss and validation over training](curves.png)",
        'Pernuš: "Brains". Licence: CC-BY.',
        "| R=8 | PSNR | 33.25 | 32.5 to 34 |",
        "No spines.",
        "0" * 64,
    ):
        assert part in text
    assert "curves.png" not in model_readme(card(), curves=False)


def test_a_scan_within_the_trained_range_gives_no_reason_to_doubt():
    assert TRAINED.outside(acceleration=2, matrix=(96, 128), coils=12, snr=50) == ()
    assert TRAINED.outside(acceleration=12.9, matrix=(104, 140), coils=4) == ()


def test_each_way_to_lie_outside_the_trained_range_is_named():
    assert TRAINED.outside(acceleration=14.04, matrix=(216, 256), coils=1, snr=4) == (
        "acceleration 14, trained for 2 to 12",
        "1 coils, trained for 4 to 12",
        "SNR 4, trained for 10 to inf",
        "matrix 216 x 256, trained for 96 to 128",
    )
    fixed = TRAINED.model_copy(update={"acceleration": (8.0, 8.0)})
    assert fixed.outside(acceleration=4, matrix=(128, 128), coils=8) == ("acceleration 4, trained for 8",)


def test_a_range_upside_down_is_refused():
    with pytest.raises(ValueError, match=r"coils is \(8, 4\), expected \(lowest, highest\)"):
        TrainedRange(**{**TRAINED.model_dump(), "coils": (8, 4)})
