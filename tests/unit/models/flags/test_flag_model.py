import datetime as dt
import tomllib

import pytest

from echotrain.models.flags.flag import Flag
from echotrain.models.flags.flag_model import FlagData, FlagModel, Regions, Typical, flag_file, load_flags, save_flags
from echotrain.models.model_card import Metric, ModelError
from echotrain.models.trained_range import TrainedRange

SCOPE = TrainedRange(acceleration=(4, 8), matrix=(192, 256), coils=(6, 12), snr=(20, 80), masks=("uniform",))


@pytest.fixture
def model():
    flag = Flag(intercept=-1, weights={"kspace_spike": 2}, notice=0.5, warning=0.8, severe=0.99)
    strange = Flag(intercept=0, weights={"input_distance": 1}, notice=0.5, warning=0.8, severe=0.99, highest="notice")
    return FlagModel(
        judged="net",
        conventional="sense",
        date=dt.date(2026, 1, 1),
        weights={"net": "a" * 64},
        scope=SCOPE,
        data=FlagData(file="images/none.h5", slices=10, seed=0, note="none"),
        typical=Typical(features=("input_a", "input_b"), mean=(1, 2), precision=((1, 0), (0, 4))),
        regions=Regions(intercept=-5, weights={"misfit": 1, "misfit_contrast": 1, "disagreement_contrast": 0}),
        flags={"spike": flag, "out_of_distribution": strange},
        metrics=(Metric(case="none", metric="AUC", value=0.9, interval=(0.8, 0.95)),),
    )


def test_what_was_saved_is_read_back_and_stands_one_weight_a_line(model, tmp_path):
    file = save_flags(model, tmp_path)
    assert file == flag_file(tmp_path, "sense")
    assert load_flags(file) == model
    assert "\n[flags.spike.weights]\nkspace_spike = 2.0\n" in file.read_text()
    assert tomllib.loads(file.read_text())["flags"]["spike"]["warning"] == 0.8


def test_the_distance_is_one_where_training_scans_lie_on_the_average(model):
    features = {"input_a": 2.0, "input_b": 2.5, "kspace_spike": 0.5}  # (1 + 4 / 4) / 2 = 1
    assert model.typical.distance(features) == pytest.approx(0)
    assert model.probabilities(features) == pytest.approx({"spike": 0.5, "out_of_distribution": 0.5})


def test_flags_hold_for_the_model_and_the_acquisitions_that_they_were_trained_on(model):
    like = {"acceleration": 4, "matrix": (192, 192), "coils": 8}
    assert model.outside(weights={"net": "a" * 16}, **like) == ()
    (reason,) = model.outside(weights={"net": "b" * 16}, **like)
    assert "net is not the net that flags were trained for" in reason
    assert len(model.outside(weights={"other": "b" * 16}, **like)) == 2
    assert model.outside(weights={"net": "a" * 16}, **{**like, "coils": 2}) == ("2 coils, trained for 6 to 12",)
    searched = model.model_copy(update={"search": "2 steps at 0.01 of the data"})
    for search in ("", searched.search):  # what was not searched is not looked for
        assert searched.outside(weights={"net": "a" * 16}, **like, search=search) == ()
    (reason,) = searched.outside(weights={"net": "a" * 16}, **like, search="9 steps at 0.01 of the data")
    assert reason.startswith("the worst change was searched by 9 steps")


def test_flags_that_are_missing_or_damaged_are_refused(model, tmp_path):
    with pytest.raises(ModelError, match="there are no flags"):
        load_flags(tmp_path / "none.toml")
    file = save_flags(model, tmp_path)
    file.write_text(file.read_text().replace("[flags.spike", "[flags.spikes"))
    with pytest.raises(ModelError, match=r"flags.spikes"):
        load_flags(file)
    file.write_text("][")
    with pytest.raises(ModelError, match="cannot be read"):
        load_flags(file)
