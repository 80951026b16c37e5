import datetime as dt
from importlib import import_module

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from echotrain.clients.cli import app
from echotrain.engine.chain_config import ChainLibrary
from echotrain.engine.errors import ConfigurationError
from echotrain.gadgets.estimate_sensitivity import EstimateSensitivity
from echotrain.models.flags import table
from echotrain.models.flags.flag_model import load_flags
from echotrain.models.flags.kinds import KINDS
from echotrain.models.flags.objects import random_objects
from echotrain.models.model_card import Metric, ModelCard, read_card
from echotrain.models.model_store import write_model
from echotrain.models.networks.build import build
from echotrain.models.perturbation.sensitivity import search_text
from echotrain.models.trained_range import TrainedRange

pytest.importorskip("sklearn")
SCOPE = TrainedRange(acceleration=(2, 8), matrix=(16, 128), coils=(1, 8), snr=(10, 100), masks=("uniform",))
RANGE = ("--acceleration", "2,3", "--coils", "4,5", "--matrix", "48,48", "--snr", "50,80")
FEW = ("--slices", 10, "--held-out", 2, "--others", 5, "--iterations", 1, "--adaptive", 2)


@pytest.fixture
def models(tmp_path):
    """Return a folder of one untrained network."""
    options = {"channels": 2, "pools": 1, "iterations": 2, "unrolls": 1}
    torch.manual_seed(0)
    card = ModelCard(
        name="first",
        version=1,
        kind="supervised",
        architecture="modl",
        options=options,
        trained=SCOPE,
        data=(),
        recipe="first",
        seed=0,
        hardware="none",
        steps=0,
        wall_seconds=0,
        cpu_seconds=0,
        torch="2",
        date=dt.date(2020, 1, 1),
        limits="untrained",
    )
    write_model(tmp_path / "models" / "first", build("modl", options).state_dict(), card)
    return tmp_path / "models"


@pytest.fixture
def run(monkeypatch, models):
    """``run(*arguments)``: echotrain calibrate flags, without real scans."""
    monkeypatch.setenv("COLUMNS", "200")
    command_file = import_module("echotrain.clients.cli.calibrate_flags")  # the package has the function of that name
    monkeypatch.setattr(command_file, "strange_pictures", lambda count, side: random_objects(count, side, seed=9))
    monkeypatch.setattr(command_file, "_real_alarms", lambda *_: Metric(case="none", metric="none", value=0))
    command = ("calibrate", "flags", "--judged", "first", "--weights", models, *RANGE, *FEW)
    return lambda *arguments: CliRunner().invoke(app, [*map(str, (*command, *arguments))])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("heads")
def test_flags_are_stored_beside_the_judged_model_and_what_was_interrupted_goes_on(run, models, monkeypatch):
    made, row = [], table.case_row

    def stopping(*arguments, **named):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(row(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(table, "case_row", stopping)
    assert run().exit_code != 0
    with np.load(models / "first" / "flags-sense.npz") as kept:
        assert len(kept["training"]) == 2
    monkeypatch.setattr(table, "case_row", row)
    result = run("--note", "a trial")
    assert result.exit_code == 0, result.output
    assert "going on after 2 slices" in result.stdout
    assert str(models / "first" / "flags-sense.toml") in result.stdout.replace("\n", "")
    found = load_flags(models / "first" / "flags-sense.toml")
    assert found.weights == {"first": read_card(models / "first").sha256}
    assert found.scope.acceleration == (2, 3)
    assert (found.note, found.data.slices) == ("a trial", 12)
    assert "but for msl-04, cheng-046, cheng-047" in found.data.note
    assert found.search == "2 steps at 0.01 of the data"
    assert tuple(found.flags) == KINDS
    areas = [metric for metric in found.metrics if metric.metric == "AUC"]
    assert len(areas) == len(KINDS) + 2
    (adaptive,) = [metric for metric in found.metrics if metric.metric == "change over a worst case's"]
    assert "by an attacker who knows the flag against clean, 2 and 5 slices" in adaptive.case
    assert adaptive.value > 0
    assert next(metric for metric in areas if " spike against clean" in metric.case).value > 0.7
    assert not (models / "first" / "flags-sense.npz").exists()


def test_flags_are_trained_by_the_search_of_the_chain_that_raises_them():
    command_file = import_module("echotrain.clients.cli.calibrate_flags")
    steps = ChainLibrary().get("trusted").steps
    (search,) = [fields for name, fields in steps if name == "estimate_sensitivity"]
    epsilon = search.get("epsilon", EstimateSensitivity.epsilon)
    assert search_text(epsilon, search["iterations"]) == command_file._SEARCHED
    assert search_text(command_file._SEARCH_EPSILON, command_file._SEARCH_ITERATIONS) == command_file._SEARCHED


def test_a_model_that_is_not_there_is_refused(run):
    result = run("--judged", "frist")
    assert isinstance(result.exception, ConfigurationError)
    assert "first" in str(result.exception)


def test_an_attacker_who_knows_the_flag_needs_gradients(run):
    result = run("--conventional", "cs-tv")
    assert isinstance(result.exception, ConfigurationError)
    assert "--adaptive 2 needs gradients of the conventional method" in str(result.exception)
