"""What a prior takes for an image, from the command line."""

import datetime as dt

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from echotrain.clients.cli.diffusion_figures import diffusion_figures
from echotrain.engine.errors import ConfigurationError
from echotrain.models.model_card import Metric, ModelCard, read_card
from echotrain.models.model_store import write_model
from echotrain.models.networks.build import build
from echotrain.models.trained_range import TrainedRange

RECIPE = """
[model]
name = "tiny"
architecture = "diffusion_prior"
[data]
images = "images/brains_train.h5"
validation = ["b"]
[acquisition]
crop = [16, 16]
coils = [2, 2]
acceleration = [1.0, 1.0]
masks = ["uniform"]
maps = ["true"]
[training]
steps = 1
batch = 2
learning_rate = 1e-3
loss = "denoising"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make data, recipe and an untrained prior; return the prior's folder."""
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    heads = np.array([np.where(x**2 + y**2 < r, 100 + 50 * np.cos(9 * x), 0) for r in (0.5, 0.6, 0.7)], np.uint8)
    (tmp_path / "images").mkdir()
    for name in ("train", "val"):
        with h5py.File(tmp_path / "images" / f"brains_{name}.h5", "w") as file:
            file["image"], file["subject"] = heads, ["a", "a", "b"]
    monkeypatch.setenv("ECHOTRAIN_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tiny.toml").write_text(RECIPE)
    torch.manual_seed(0)
    options = {"channels": [4], "blocks": 1, "embedding": 4, "sigma_min": 0.02, "sigma_max": 20.0}
    card = ModelCard(
        name="tiny",
        version=1,
        kind="prior",
        architecture="diffusion_prior",
        options=options,
        trained=TrainedRange(acceleration=(1, 1), matrix=(16, 16), coils=(2, 2), snr=(10, 100), masks=("uniform",)),
        data=(),
        recipe=str(tmp_path / "tiny.toml"),
        seed=0,
        hardware="none",
        steps=0,
        wall_seconds=0,
        cpu_seconds=0,
        torch="2",
        date=dt.date(2020, 1, 1),
        metrics=(Metric(case="validation", metric="PSNR", value=30.0),),
        limits="untrained",
    )
    write_model(tmp_path / "models" / "tiny", build("diffusion_prior", options).state_dict(), card)
    return tmp_path / "models" / "tiny"


@pytest.fixture
def run(folder, tmp_path):
    small = ("--samples", "3", "--steps", "3", "--matrix", "24", "--images", "4", "--device", "cpu")
    ours = ("--weights", folder.parent, "-o", tmp_path / "figures")
    return lambda *rest: CliRunner().invoke(diffusion_figures, ["prior", *map(str, (*small, *ours, *rest))])


def test_samples_are_drawn_beside_data_and_the_model_is_left_alone(run, folder, tmp_path):
    before = {file: file.read_bytes() for file in folder.iterdir()}
    result = run("tiny")
    assert result.exit_code == 0, result.output
    picture = tmp_path / "figures" / "diffusion_prior_tiny.png"
    assert str(picture) in result.stdout
    with Image.open(picture) as opened:
        assert opened.width > 8 * 100
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_figures_and_picture_are_written_into_the_model(run, folder):
    result = run("tiny", "--write")
    assert result.exit_code == 0, result.output
    assert (folder / "samples.png").stat().st_size > 5_000
    metrics = read_card(folder).metrics
    assert metrics[0].case == "validation"
    assert {m.case for m in metrics[1:]} == {
        "samples (3, Heun, 3 steps, 24 x 24)",
        "held-out images (4, images/brains_val.h5)",
        "training images (4)",
        "denoising of held-out images",
        "start of sampling (sigma = 20)",
    }
    levels = [m.metric.rpartition(" ")[2] for m in metrics if m.case.startswith("denoising")]
    assert levels == ["0.03", "0.1", "0.3", "1", "3", "10"]  # the prior's own
    assert all(np.isfinite(m.value) for m in metrics)
    readme = (folder / "README.md").read_text()
    assert "(samples.png)" in readme
    assert "| samples (3, Heun, 3 steps, 24 x 24) | mean magnitude |" in readme
    assert run("tiny", "--write").exit_code == 0
    assert read_card(folder).metrics == metrics  # the same seed, and none twice


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("tinny",), "did you mean 'tiny'?"),
        (("tiny", "--matrix", "20"), "--matrix is 20, expected a multiple of 8"),
        (("tiny", "--recipe", "brain-edn"), "did you mean 'brain-edm'?"),
        (("tiny", "--recipe", "none.toml"), "none.toml cannot be read"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_is_known(run, arguments, says):
    result = run(*arguments)
    assert isinstance(result.exception, ConfigurationError), result.output
    assert says in str(result.exception)
