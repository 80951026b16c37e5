import csv
import os
import signal

import h5py
import numpy as np
import pytest
import torch
import typer
from safetensors.torch import load_file
from typer.testing import CliRunner

from echotrain.clients import training_display
from echotrain.clients.cli.train import train
from echotrain.engine.errors import ConfigurationError
from echotrain.models.model_card import read_card
from echotrain.models.model_store import ModelStore
from echotrain.models.networks.build import build
from echotrain.models.training.errors import DivergedError
from echotrain.models.training.learner import Learner

RECIPE = """
[model]
name = "tiny"
architecture = "unet"
[model.options]
channels = 2
pools = 1
[data]
images = "{images}"
validation = ["b"]
[acquisition]
crop = [16, 16]
coils = [2, 2]
acceleration = [2.0, 2.0]
[training]
steps = 6
batch = 2
learning_rate = 1e-3
validate_every = 2
validation_batches = 1
"""


@pytest.fixture
def recipe(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (4, 40, 40), dtype=np.uint8)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["image"] = images
        file["subject"] = ["a", "a", "a", "b"]
        file["source"] = ["cheng", "cheng", "cheng", "open_ms_longitudinal"]
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE.format(images=tmp_path / "images.h5"))
    return path


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return what runs the command, in an empty folder, with the weights beside the run."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(train)

    def invoke(*arguments):
        wanted = ["--output", "models/tiny", "--device", "cpu", *map(str, arguments)]
        return CliRunner().invoke(app, wanted)

    return invoke


def point_psnrs(file):
    with file.open() as lines:
        return [float(line["psnr"]) for line in csv.DictReader(lines)]


@pytest.fixture
def told_to_end(monkeypatch):
    """Send this process SIGTERM at the first validation after a step."""
    shown = training_display.Lines.validated

    def validated(self, point, last):
        shown(self, point, last)
        if point.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(training_display.Lines, "validated", validated)
    return monkeypatch


def test_a_training_says_where_everything_is_and_leaves_it_there(run, recipe, tmp_path):
    result = run(recipe)
    assert result.exit_code == 0, result.output
    assert "all steps done at step 6" in result.stdout
    assert "run in runs/tiny, weights to models/tiny" in result.stdout
    assert (tmp_path / "runs/tiny/curves.csv").is_file()
    store = ModelStore(tmp_path / "models")
    assert store.names() == ("tiny",)
    assert store.network("tiny")
    card = store.card("tiny")
    assert (card.version, card.recipe, card.trained.acceleration) == (1, "tiny", (2.0, 2.0))
    assert [source.title[:10] for source in card.data] == ["Jun Cheng:", "Lesjak, Pe"]
    assert card.metrics[0].value == pytest.approx(max(point_psnrs(tmp_path / "runs/tiny/curves.csv")), abs=1e-3)
    assert (tmp_path / "models/tiny/curves.png").is_file()


def test_sigterm_leaves_weights_and_the_same_command_goes_on_to_the_same_weights(run, recipe, tmp_path, told_to_end):
    former = signal.getsignal(signal.SIGTERM)
    result = run(recipe)
    assert result.exit_code == 0, result.output
    assert "interrupted at step 2" in result.stdout
    assert "the same command goes on" in result.stdout
    assert (tmp_path / "models/tiny/weights.safetensors").is_file()
    assert signal.getsignal(signal.SIGTERM) is former
    told_to_end.undo()
    told_to_end.chdir(tmp_path)
    assert "resuming at step 2" in run(recipe).stdout
    assert read_card(tmp_path / "models/tiny").version == 1
    resumed = load_file(tmp_path / "models/tiny/weights.safetensors")
    assert run(recipe, "--restart").exit_code == 0
    assert read_card(tmp_path / "models/tiny").version == 2
    anew = load_file(tmp_path / "models/tiny/weights.safetensors")
    assert all((anew[name] == resumed[name]).all() for name in anew)


def test_a_training_that_ended_is_not_begun_again_unasked_and_its_card_stays(run, recipe, tmp_path):
    run(recipe)
    card = tmp_path / "models/tiny/card.toml"
    card.write_text(card.read_text() + "# added\n")
    assert "ended before at step 6: all steps done; --restart trains anew" in run(recipe).stdout
    assert card.read_text().endswith("# added\n")
    assert "ended before" not in run(recipe, "--restart").stdout


def test_another_recipe_under_the_same_name_is_refused(run, recipe):
    run(recipe)
    recipe.write_text(recipe.read_text().replace("batch = 2", "batch = 3"))
    result = run(recipe)
    assert isinstance(result.exception, ConfigurationError)
    assert "training.batch: 2, 3" in str(result.exception)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"unet"', '"unett"', "'unett'"),
        ("pools = 1", "pool = 1", "'pool'"),
        ('["b"]', '["c"]', "got the subject 'c'"),
        ("images.h5", "gone.h5", "gone.h5 is missing"),
        ("steps = 6", "steps = 0", "training.steps: got 0"),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_refused(run, recipe, old, new, expected):
    recipe.write_text(recipe.read_text().replace(old, new))
    result = run(recipe)
    assert isinstance(result.exception, ConfigurationError)
    assert expected in str(result.exception)


def test_an_unknown_recipe_is_told_the_shipped_ones(run):
    result = run("unet-r9")
    assert isinstance(result.exception, ConfigurationError)
    assert "did you mean 'unet-r8'?" in str(result.exception)


@pytest.mark.parametrize("budget", ["20", "m", "", "1m20h", "0s", "-5m"])
def test_a_budget_that_is_no_duration_is_refused(run, recipe, budget):
    result = run(recipe, "--budget", budget)
    assert result.exit_code == 2
    assert "expected a duration" in " ".join(result.stderr.replace("│", " ").split())


def test_an_unknown_device_is_refused(run, recipe):
    result = run(recipe, "--device", "tpu")
    assert isinstance(result.exception, ConfigurationError)
    assert "expected auto, cpu or cuda" in str(result.exception)


def test_a_loss_that_is_not_finite_is_told_and_the_best_weights_so_far_are_left(run, recipe, tmp_path, monkeypatch):
    step = Learner.step

    def diverging(self, number, batch, rate):
        if number == 4:
            raise DivergedError(number, float("nan"), 1.0)
        return step(self, number, batch, rate)

    monkeypatch.setattr(Learner, "step", diverging)
    result = run(recipe)
    assert isinstance(result.exception, ConfigurationError)
    assert "step 5 diverged: on batch 4 the loss is nan" in str(result.exception)
    assert read_card(tmp_path / "models/tiny").steps in {0, 2, 4}


def test_a_training_that_a_budget_ended_goes_on_with_a_larger_one_at_half_the_rate(run, recipe, tmp_path):
    recipe.write_text(recipe.read_text().replace("steps = 6", "steps = 100000\nwarm_up = 0"))
    assert run(recipe, "--budget", "2s").exit_code == 0
    first = read_card(tmp_path / "models/tiny")
    assert "ended before" in run(recipe, "--budget", "1s").stdout
    told = run(recipe, "--budget", f"{2 * first.wall_seconds + 2:.0f}s").stdout
    assert "resuming at step" in told
    second = read_card(tmp_path / "models/tiny")
    assert (first.version, second.version) == (1, 2)
    assert second.wall_seconds > first.wall_seconds + 1
    with (tmp_path / "runs/tiny/curves.csv").open() as lines:
        table = [(int(line["step"]), float(line["learning_rate"])) for line in csv.DictReader(lines)]
    rates = [rate for step, rate in table if step > first.steps]
    # validated at steps that depend on the time they take; how rates fall, test_trainer says by a clock of its own
    assert 0 < max(rates) <= 0.5e-3


def test_a_training_can_begin_with_the_weights_of_another(run, recipe, tmp_path):
    assert run(recipe).exit_code == 0
    first = read_card(tmp_path / "models" / "tiny")
    again = run(recipe, "--from", "models/tiny", "--run", "runs/second", "--output", "models/second/tiny")
    assert again.exit_code == 0
    assert f"beginning with the weights of {first.label}" in again.output
    card = read_card(tmp_path / "models" / "second" / "tiny")
    assert card.start == first.label
    assert card.start in (tmp_path / "models" / "second" / "tiny" / "README.md").read_text()
    ended = max(point_psnrs(tmp_path / "runs" / "tiny" / "curves.csv"))
    assert point_psnrs(tmp_path / "runs" / "second" / "curves.csv")[0] == pytest.approx(ended, abs=0.01)


def test_weights_of_another_network_are_refused_to_begin_with(run, recipe, tmp_path):
    assert run(recipe).exit_code == 0
    other = tmp_path / "other.toml"
    other.write_text(recipe.read_text().replace("channels = 2", "channels = 3"))
    refused = run(other, "--from", "models/tiny", "--run", "runs/other", "--output", "models/other")
    assert isinstance(refused.exception, ConfigurationError)
    assert "cannot begin with the weights in" in str(refused.exception)


OF_TWO = """architecture = "prior_modl"
[model.options]
unrolls = 2
channels = [4]
blocks = 1
embedding = 4
start_stages = 1
start_channels = 2
start_pools = 1
"""


@pytest.fixture
def of_two(recipe):
    """Return a function that writes the recipe of a network of several parts, of which some stay as they are."""

    def make(fixed):
        text = recipe.read_text().replace('architecture = "unet"\n[model.options]\nchannels = 2\npools = 1\n', OF_TWO)
        assert OF_TWO in text
        recipe.write_text(text.replace("[training]", f"[training]\nfixed = {fixed}"))
        return recipe

    return make


def test_what_is_fixed_stays_as_it_was_and_the_rest_is_trained(run, of_two, tmp_path):
    steps = of_two('["start."]')
    assert run(steps, "--run", "runs/all").exit_code == 0
    trained = load_file(tmp_path / "models" / "tiny" / "weights.safetensors")
    kept = [name for name in trained if name.startswith("start.")]
    torch.manual_seed(0)
    begun = build("prior_modl", read_card(tmp_path / "models" / "tiny").options).state_dict()
    assert kept
    assert len(kept) < len(trained)
    for name in kept:
        torch.testing.assert_close(trained[name], begun[name].half(), rtol=0, atol=0)
    assert any(not torch.equal(trained[name], begun[name].half()) for name in trained.keys() - set(kept))
    assert "ended before at step 6" in run(steps, "--run", "runs/all").stdout  # what is fixed has no optimiser's state


@pytest.mark.parametrize(
    ("fixed", "complaint"),
    [
        ('["stert."]', "got 'stert.', and nothing begins so; the network's parts: log_error, log_noise"),
        ('["l", "m", "start", "denoiser."]', "which is all of the network"),
    ],
)
def test_fixed_parts_that_are_not_there_or_leave_nothing_to_train_are_refused(run, of_two, fixed, complaint):
    refused = run(of_two(fixed))
    assert isinstance(refused.exception, ConfigurationError)
    assert complaint in str(refused.exception)
