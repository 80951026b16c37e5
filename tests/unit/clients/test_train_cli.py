import os
import signal

import h5py
import numpy as np
import pytest
import typer
from safetensors.torch import load_file
from typer.testing import CliRunner

from echotrain.clients import training_display
from echotrain.clients.cli.train import train
from echotrain.engine.errors import ConfigurationError

RECIPE = """
[model]
name = "tiny"
architecture = "unet"
[model.options]
channels = 2
pools = 1
[data]
images = "{images}"
validation = "{images}"
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
        wanted = ["--output", "weights", "--device", "cpu", *map(str, arguments)]
        return CliRunner().invoke(app, wanted)

    return invoke


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
    assert "run in runs/tiny, weights to weights" in result.stdout
    assert (tmp_path / "runs/tiny/curves.csv").is_file()
    assert all(weights.isfinite().all() for weights in load_file(tmp_path / "weights/weights.safetensors").values())


def test_sigterm_leaves_weights_and_the_same_command_goes_on_to_the_same_weights(run, recipe, tmp_path, told_to_end):
    former = signal.getsignal(signal.SIGTERM)
    result = run(recipe)
    assert result.exit_code == 0, result.output
    assert "interrupted at step 2" in result.stdout
    assert "the same command goes on" in result.stdout
    assert (tmp_path / "weights/weights.safetensors").is_file()
    assert signal.getsignal(signal.SIGTERM) is former
    told_to_end.undo()
    told_to_end.chdir(tmp_path)
    assert "resuming at step 2" in run(recipe).stdout
    resumed = load_file(tmp_path / "weights/weights.safetensors")
    assert run(recipe, "--restart").exit_code == 0
    anew = load_file(tmp_path / "weights/weights.safetensors")
    assert all((anew[name] == resumed[name]).all() for name in anew)


def test_a_training_that_ended_is_not_begun_again_unasked(run, recipe):
    run(recipe)
    assert "ended before at step 6: all steps done; --restart trains anew" in run(recipe).stdout
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
