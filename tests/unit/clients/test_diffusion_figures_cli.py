"""Figures of diffusion samplers from the command line."""

import csv
import datetime as dt

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from echotrain.clients.cli.diffusion_figures import diffusion_figures
from echotrain.engine.errors import ConfigurationError
from echotrain.models.model_card import ModelCard
from echotrain.models.model_store import write_model
from echotrain.models.networks.build import build
from echotrain.models.trained_range import TrainedRange


@pytest.fixture
def heads(tmp_path, monkeypatch):
    """Make a data folder with four small images."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    radii = (0.1, 0.5, 0.6, 0.1)
    (tmp_path / "images").mkdir()
    with h5py.File(tmp_path / "images" / "brains_val.h5", "w") as file:
        file["image"] = np.array([np.where(x**2 + y**2 < r, 100 + 50 * np.cos(9 * x), 0) for r in radii], np.uint8)
    monkeypatch.setenv("ECHOTRAIN_DATA", str(tmp_path))


@pytest.fixture
def models(tmp_path):
    """Return a folder with an untrained prior."""
    torch.manual_seed(0)
    options = {"channels": [4], "blocks": 1, "embedding": 4}
    card = ModelCard(
        name="tiny",
        version=1,
        kind="prior",
        architecture="diffusion_prior",
        options=options,
        trained=TrainedRange(acceleration=(1, 1), matrix=(16, 128), coils=(1, 8), snr=(10, 100), masks=("uniform",)),
        data=(),
        recipe="tiny",
        seed=0,
        hardware="none",
        steps=0,
        wall_seconds=0,
        cpu_seconds=0,
        torch="2",
        date=dt.date(2020, 1, 1),
        limits="untrained",
    )
    write_model(tmp_path / "models" / "tiny", build("diffusion_prior", options).state_dict(), card)
    return tmp_path / "models"


@pytest.fixture
def run(monkeypatch, models, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ours = ("--prior", "tiny", "--weights", models, "--device", "cpu", "-o", tmp_path / "figures")
    return lambda command, *rest: CliRunner().invoke(diffusion_figures, [command, *map(str, (*ours, *rest))])


PC = "pc:sigma_max=80.0"
SMALL = ("--evaluations", "4,6", "--reference", "8", "--samples", "2", "--matrix", "48", "-R", "2", "--slices", "2")


@pytest.mark.usefixtures("heads")
def test_qualities_are_a_table_and_a_picture_and_are_measured_once(run, tmp_path):
    result = run("quality", *SMALL, "-s", PC, "-s", "heun")
    assert result.exit_code == 0, result.output
    table = tmp_path / "figures" / "diffusion_quality.csv"
    assert str(table) in result.stdout
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(r["sampler"], r["evaluations"], r["number"]) for r in rows] == [
        (*which, n) for which in ((PC, "4"), (PC, "6"), (PC, "8"), ("heun", "3"), ("heun", "5")) for n in "01"
    ]
    assert all(float(r["psnr"]) > 0 and r["prior"].startswith("tiny@1 (") for r in rows)
    before = table.read_text()
    result = run("quality", *SMALL, "-s", PC, "-s", "heun", "-s", "dds:eta=1.0")
    assert result.exit_code == 0, result.output
    assert table.read_text().startswith(before)
    assert len(table.read_text().splitlines()) == 1 + len(rows) + 4
    assert (tmp_path / "figures" / "diffusion_quality.png").stat().st_size > 5_000


@pytest.mark.usefixtures("data")
def test_a_real_scan_is_drawn_on_the_way_and_as_an_ensemble(run, tmp_path):
    phantom = ("--scan", "phantom_gre_2ch", "-R", "2", "-s", "dds:steps=2,eta=1.0")
    for command, name, more in (("trajectories", "trajectories", ()), ("samples", "samples_r2", ("--samples", "3"))):
        result = run(command, *phantom, *more)
        assert result.exit_code == 0, result.output
        file = tmp_path / "figures" / f"diffusion_{name}.png"
        assert result.stdout.strip().endswith(file.name)
        with Image.open(file) as picture:
            assert picture.width > 300
        assert file.stat().st_size < 400_000


@pytest.mark.usefixtures("heads")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("quality", "-s", "dsd"), "the sampler 'dsd', expected NAME or NAME:KEY=VALUE,...: got the sampler 'dsd'"),
        (("quality", "-s", "dds:eta=much"), "the sampler 'dds:eta=much'"),
        (("quality", "-s", "dds:etta=1.0"), "did you mean 'eta'?"),
        (("quality", "-s", "pc"), "pc has sigma_max = 128, but the prior tiny@1 knows noise from 0.005 to 80 alone"),
        (("quality", "--prior", "tinny"), "did you mean 'tiny'?"),
        (("trajectories", "--scan", "knee"), "no data are named 'knee'. Known: simulated, brain_t1_7ch"),
        (("samples", "-R", "0.5"), "expected 1 or more"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_is_known(run, arguments, says):
    result = run(*arguments)
    assert isinstance(result.exception, ConfigurationError), result.output
    assert says in str(result.exception)
