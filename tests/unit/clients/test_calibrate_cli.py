import datetime as dt

import pytest
import torch
import typer
from typer.testing import CliRunner

from echotrain.clients.cli.calibrate import calibrate
from echotrain.engine.errors import ConfigurationError
from echotrain.models.model_card import ModelCard, read_card
from echotrain.models.model_store import write_model
from echotrain.models.networks.build import build
from echotrain.models.trained_range import TrainedRange
from echotrain.models.uncertainty import ensemble_calibration
from echotrain.models.uncertainty.calibration_record import load_calibration
from echotrain.models.uncertainty.interval_scores import score_intervals

RANGE = ("--acceleration", "2,3", "--coils", "4,5", "--matrix", "48,48", "--snr", "50,80")


@pytest.fixture
def models(tmp_path):
    """Return a folder of two untrained networks."""
    options = {"channels": 2, "pools": 1, "iterations": 2, "unrolls": 1}
    for seed, name in enumerate(("first", "second")):
        torch.manual_seed(seed)
        card = ModelCard(
            name=name,
            version=1,
            kind="supervised",
            architecture="modl",
            options=options,
            trained=TrainedRange(
                acceleration=(2, 8), matrix=(16, 128), coils=(1, 8), snr=(10, 100), masks=("uniform",)
            ),
            data=(),
            recipe=name,
            seed=seed,
            hardware="none",
            steps=0,
            wall_seconds=0,
            cpu_seconds=0,
            torch="2",
            date=dt.date(2020, 1, 1),
            limits="untrained",
        )
        write_model(tmp_path / "models" / name, build("modl", options).state_dict(), card)
    return tmp_path / "models"


@pytest.fixture
def run(monkeypatch, models):
    monkeypatch.setenv("COLUMNS", "200")
    app = typer.Typer()
    app.command()(calibrate)
    return lambda *arguments: CliRunner().invoke(app, [*map(str, arguments), "--weights", models, "--device", "cpu"])


@pytest.mark.usefixtures("heads")
@pytest.mark.parametrize("intervals", ["deviation", "quantiles"])
def test_a_calibration_is_stored_beside_the_first_member_with_what_it_holds_for(run, models, intervals):
    result = run("--members", "second,first", *RANGE, "--intervals", intervals, "--alpha", "0.4", "--slices", 12)
    assert result.exit_code == 0, result.output
    record = load_calibration(models / "first", "first+second")
    assert str(models / "first" / "calibration-first+second.toml") in result.stdout
    assert record.construction == intervals
    assert record.weights == {name: read_card(models / name).sha256 for name in ("first", "second")}
    assert record.data.slices == 12
    assert record.data.subjects == ("msl-04", "cheng-046", "cheng-047")
    assert record.scope.acceleration == (2, 3)
    assert record.risk < record.bound <= record.alpha == 0.4
    before, after = (f"simulated images/brains_val.h5, {name}, 12 slices" for name in ("uncalibrated", "calibrated"))
    risk = {m.case: m.value for m in record.metrics if m.metric == "risk"}
    assert risk.keys() == {before, after}
    assert risk[after] <= 0.4
    assert f"{risk[after]:.3f}" in result.stdout


@pytest.mark.usefixtures("heads")
def test_classical_methods_are_calibrated_beside_a_network_with_their_settings(run, models):
    settings = "cs-tv.iterations=3,sense.iterations=4,sense.regularisation=0.1"
    result = run("--members", "sense,second,cs-tv", "--settings", settings, *RANGE, "--alpha", "0.5", "--slices", 12)
    assert result.exit_code == 0, result.output
    method = "cs-tv-iterations_3+second+sense-iterations_4-regularisation_0.1"
    record = load_calibration(models / "second", method)
    assert record.weights == {"second": read_card(models / "second").sha256}
    assert record.settings == {
        "sense": {"iterations": 4, "regularisation": 0.1, "tolerance": 0.0},
        "cs-tv": {"weight": 0.004, "iterations": 3, "inner_iterations": 3},
    }


@pytest.mark.usefixtures("heads")
def test_an_interrupted_calibration_goes_on_to_the_same_record(run, models, tmp_path, monkeypatch):
    arguments = ("--members", "second,first", *RANGE, "--alpha", "0.4", "--slices", 12)
    assert run(*arguments, "-o", tmp_path / "whole").exit_code == 0
    whole = load_calibration(tmp_path / "whole", "first+second")
    computed = []

    def counted(found, scale):
        computed.append(scale)
        if len(computed) == 7:
            raise KeyboardInterrupt
        return score_intervals(found, scale)

    monkeypatch.setattr(ensemble_calibration, "score_intervals", counted)
    assert run(*arguments).exit_code != 0  # in the fourth slice of the evaluation, which has two scales
    assert not list(models.glob("*/*.toml.part"))
    assert not (models / "first" / "calibration-first+second.toml").exists()
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "going on after 15 of 24 slices" in result.stdout
    assert len(computed) == 7 + 2 * 9
    assert load_calibration(models / "first", "first+second") == whole
    assert not list(models.glob("*/*.npz*"))


@pytest.mark.usefixtures("heads")
def test_what_was_kept_of_other_scans_is_not_taken_up(run, models, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    arguments = ("--members", "second,first", "--alpha", "0.4", "--slices", 12)
    with monkeypatch.context() as only:
        only.setattr(ensemble_calibration, "score_intervals", interrupted)
        run(*arguments, *RANGE)
    assert list(models.glob("first/calibration-*.npz"))
    result = run(*arguments, *RANGE, "--snr", "20,30")
    assert result.exit_code == 0, result.output
    assert "going on" not in result.stdout


@pytest.mark.usefixtures("heads")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--members", "first"), "an ensemble of 1 has no spread"),
        (("--members", "first,frist"), "no model is named 'frist'; did you mean 'first'?"),
        (("--members", "sense,cs-tv"), "cs-tv and sense have no weights for a calibration to lie beside"),
        (("--members", "first,cs-tv", "--settings", "cs-tv.iteration=3"), "did you mean 'iterations'?"),
        (("--members", "first,cs-tv", "--settings", "sense.iterations=3"), "got settings of sense; expected those of"),
        (("--members", "first,cs-tv", "--settings", "iterations=3"), "expected --settings MEMBER.KEY=VALUE"),
        (("--members", "first,second", "--steps", "3"), "got steps for --members"),
        (("--members", "first,second", "--slices", "21"), "21 images can show no risk of 0.1"),
        (("--members", "first,second", "--alpha", "1.5"), "alpha is 1.5"),
        (("--members", "first,second", "--start-from", "tv"), "--start-from is for samples of a --prior"),
        (("--members", "first,second", "--intervals", "wide"), "'wide', expected deviation or quantiles"),
        (("--members", "first,second", "--acceleration", "4"), "--acceleration: Field required"),
        (("--members", "first,second", "--snr", "80,20"), "snr is (80.0, 20.0), expected (lowest, highest)"),
        (("--members", "first,second", "--matrix", "48,64"), "images as large as its upper end"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_before_anything_is_reconstructed(run, models, arguments, says):
    result = run(*RANGE, *arguments)
    assert isinstance(result.exception, ConfigurationError), result.output
    assert says in str(result.exception)
    assert not list(models.glob("*/calibration-*"))


def test_missing_data_are_named(run, tmp_path, monkeypatch):
    monkeypatch.setenv("ECHOTRAIN_DATA", str(tmp_path))
    result = run("--members", "first,second")
    assert isinstance(result.exception, ConfigurationError)
    assert "the shared scans are missing" in str(result.exception)
