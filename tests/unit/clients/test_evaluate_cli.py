import csv
import datetime as dt

import h5py
import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from echotrain.clients.cli.evaluate import evaluate
from echotrain.clients.cli.figures import figures
from echotrain.clients.fully_sampled import fully_sampled_kspace
from echotrain.engine.errors import ConfigurationError
from echotrain.models.flags.flag import Flag
from echotrain.models.flags.flag_model import DISTANCE, FlagData, FlagModel, Regions, Typical, save_flags
from echotrain.models.model_card import ModelCard, read_card
from echotrain.models.model_store import write_model
from echotrain.models.networks.build import build
from echotrain.models.trained_range import TrainedRange


@pytest.fixture
def heads(tmp_path, monkeypatch):
    """Make a data folder with two small images stand for the shared one."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    (tmp_path / "images").mkdir()
    with h5py.File(tmp_path / "images" / "brains_val.h5", "w") as file:
        file["image"] = np.array([np.where(x**2 + y**2 < r, 100 + 50 * np.cos(9 * x), 0) for r in (0.5, 0.6)], np.uint8)
    monkeypatch.setenv("ECHOTRAIN_DATA", str(tmp_path))


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    app = typer.Typer()
    app.command()(evaluate)
    app.command()(figures)
    return lambda *arguments: CliRunner().invoke(app, [*map(str, arguments)])


@pytest.mark.usefixtures("heads")
def test_a_table_and_a_csv_file_hold_every_method_at_every_acceleration(run, tmp_path):
    file = tmp_path / "slices.csv"
    result = run("evaluate", "zero-filled", "cg-sense", "-R", "2,4", "--data", "simulated", "-o", file)
    assert result.exit_code == 0, result.output
    assert "simulated, uniform lines, R = 4, 2 slices" in result.stdout
    assert sum(line.lstrip().startswith("cg-sense") for line in result.stdout.splitlines()) == 2
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [(row["method"], row["acceleration"]) for row in rows] == [
        (method, r) for r in ("2", "4") for _ in range(2) for method in ("zero-filled", "cg-sense")
    ]
    psnr = {m: np.mean([float(r["psnr"]) for r in rows if r["method"] == m]) for m in ("zero-filled", "cg-sense")}
    assert psnr["cg-sense"] > psnr["zero-filled"]


@pytest.mark.usefixtures("heads")
def test_what_a_method_cannot_reconstruct_is_said(run):
    result = run("evaluate", "grappa", "zero-filled", "-R", "2", "--data", "simulated", "--slices", "1")
    assert result.exit_code == 0
    assert "grappa, simulated, R=2: 32 of 64 lines were acquired, not as a regular lattice" in result.stdout


@pytest.mark.usefixtures("heads")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "nothing to evaluate"),
        (("mystery",), "no method is named 'mystery'"),
        (("tv", "--data", "knee"), "no data are named 'knee'. Known: simulated, brain_t1_7ch"),
        (("tv", "--mask", "radial"), "the mask is 'radial', expected uniform or equispaced"),
        (("tv", "-R", "0.5"), "expected 1 or more"),
        (("tv", "--device", "tpu"), "'tpu'"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_what_is_known(run, arguments, says):
    result = run("evaluate", *arguments)
    assert isinstance(result.exception, ConfigurationError)
    assert says in str(result.exception)


@pytest.mark.usefixtures("heads")
def test_accelerations_that_are_no_numbers_are_refused(run):
    result = run("evaluate", "tv", "-R", "4;8")
    assert result.exit_code == 2
    assert "expected numbers such as 4,8" in result.output


def test_missing_data_are_named(run, tmp_path, monkeypatch):
    monkeypatch.setenv("ECHOTRAIN_DATA", str(tmp_path))
    result = run("evaluate", "zero-filled", "--data", "simulated")
    assert isinstance(result.exception, ConfigurationError)
    assert "the shared scans are missing" in str(result.exception)


@pytest.mark.usefixtures("data")
def test_figures_of_the_real_phantom_are_small_pngs(run, tmp_path):
    result = run("figures", "zero-filled", "cg-sense", "--scan", "phantom_gre_2ch", "-R", "2", "-o", tmp_path / "f")
    assert result.exit_code == 0, result.output
    file = tmp_path / "f" / "phantom_gre_2ch_r2.png"
    assert result.stdout.strip().endswith(file.name)
    with Image.open(file) as picture:
        assert picture.width > 300
    assert file.stat().st_size < 400_000


def test_the_kspace_of_a_real_scan_is_on_the_reconstruction_grid(data):
    kspace = fully_sampled_kspace(data / "raw" / "phantom_gre_2ch.h5")
    assert kspace.shape == (2, 160, 160)
    assert kspace.dtype == np.complex64


def test_an_undersampled_scan_has_no_reference(data):
    with pytest.raises(ConfigurationError, match="64 of 128 lines"):
        fully_sampled_kspace(data / "raw" / "shepp_logan_r2_acs16_noise_8ch.h5")


@pytest.fixture
def own_models(tmp_path):
    """Return a folder with one untrained network."""
    torch.manual_seed(0)
    options = {"channels": 4, "pools": 1}
    card = ModelCard(
        name="tiny",
        version=1,
        kind="supervised",
        architecture="unet",
        options=options,
        trained=TrainedRange(acceleration=(2, 8), matrix=(16, 128), coils=(1, 8), snr=(10, 100), masks=("uniform",)),
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
    write_model(tmp_path / "models" / "tiny", build("unet", options).state_dict(), card)
    return tmp_path / "models"


@pytest.mark.usefixtures("heads")
def test_a_model_is_evaluated_by_name_and_its_card_holds_the_figures(run, own_models):
    result = run("evaluate", "tiny", "-R", "2", "--data", "simulated", "--weights", own_models, "--cards")
    assert result.exit_code == 0, result.output
    metrics = {m.metric: m for m in read_card(own_models / "tiny").metrics}
    assert metrics.keys() == {"PSNR", "SSIM", "NRMSE"}
    assert metrics["PSNR"].case == "simulated, uniform lines, R = 2, 2 slices"
    assert f"{metrics['PSNR'].value:.2f}" in result.stdout


@pytest.mark.usefixtures("heads")
def test_what_the_csv_file_holds_is_not_done_again(run, tmp_path):
    file = tmp_path / "slices.csv"
    arguments = ("evaluate", "zero-filled", "-R", "2", "--data", "simulated", "-o", file)
    assert run(*arguments, "--slices", "1").exit_code == 0
    header, first = file.read_text().splitlines()
    told = first.replace(first.split(",")[6], "77.7")  # a PSNR that nobody computes
    file.write_text(f"{header}\n{told}\n")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert file.read_text().splitlines()[:2] == [header, told]
    (other,) = (float(line.split(",")[6]) for line in file.read_text().splitlines()[2:])
    assert f"{(77.7 + other) / 2:.2f} [{other:.2f}, 77.70]" in result.stdout


@pytest.mark.usefixtures("heads")
def test_rows_of_other_weights_or_settings_are_done_again(run, tmp_path):
    file = tmp_path / "slices.csv"
    arguments = ("evaluate", "zero-filled", "-R", "2", "--data", "simulated", "--slices", "1", "-o", file)
    assert run(*arguments).exit_code == 0
    file.write_text(file.read_text().replace("ZeroFilled()", "ZeroFilled(once=True)"))
    assert run(*arguments).exit_code == 0
    assert [line.split(",")[1] for line in file.read_text().splitlines()[1:]] == [
        "ZeroFilled(once=True)",
        "ZeroFilled()",
    ]


@pytest.mark.usefixtures("heads")
def test_with_other_flags_only_the_range_is_judged_again(run, own_models, tmp_path):
    file = tmp_path / "slices.csv"
    arguments = (
        "evaluate",
        "tiny",
        "-R",
        "2",
        "--data",
        "simulated",
        "--slices",
        "1",
        "--weights",
        own_models,
        "-o",
        file,
    )
    assert run(*arguments).exit_code == 0
    header, first = file.read_text().splitlines()
    file.write_text(f"{header}\n{first.replace(first.split(',')[6], '77.7')}\n")
    flags = FlagModel(
        judged="tiny",
        conventional="sense",
        date=dt.date(2020, 1, 1),
        weights={"tiny": read_card(own_models / "tiny").sha256},
        scope=TrainedRange(acceleration=(1, 8), matrix=(64, 64), coils=(4, 4), snr=(1, 99), masks=("uniform",)),
        data=FlagData(file="none", slices=12, seed=0, note=""),
        typical=Typical(features=("input_bright",), mean=(0.0,), precision=((1.0,),)),
        regions=Regions(intercept=0.0, weights={}),
        flags={
            "out_of_distribution": Flag(intercept=9.0, notice=0.5, warning=0.7, severe=1.0, weights={DISTANCE: 0.0})
        },
    )
    save_flags(flags, own_models / "tiny")
    for _ in range(2):  # the second time there is nothing left to do
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        before, after = csv.DictReader(file.read_text().splitlines())
        assert before["judged_by"] == ""
        assert after == {**before, "judged_by": flags.label, "out_of_range": after["out_of_range"]}
        assert after["psnr"] == "77.7"
        assert after["out_of_range"].endswith("unlike the scans that it was trained on, probability 1.00")


@pytest.mark.usefixtures("heads")
def test_another_table_is_not_added_to(run, tmp_path):
    file = tmp_path / "slices.csv"
    file.write_text("a,b\n1,2\n")
    result = run("evaluate", "zero-filled", "-R", "2", "--data", "simulated", "-o", file)
    assert isinstance(result.exception, ConfigurationError)
    assert "is no table of evaluated slices" in str(result.exception)
    assert file.read_text() == "a,b\n1,2\n"


@pytest.mark.usefixtures("heads")
def test_a_markdown_page_gets_the_table_between_its_markers(run, tmp_path, own_models):
    page = tmp_path / "page.md"
    page.write_text("# Before\n\n<!-- generated: evaluation -->\nold\n<!-- end of evaluation -->\n\nAfter.\n")
    arguments = ("-R", "2", "--data", "simulated", "--weights", own_models, "--markdown", page)
    result = run("evaluate", "zero-filled", "tiny", "grappa", *arguments)
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert text.startswith("# Before\n\n<!-- generated: evaluation -->\n`echotrain")
    assert text.endswith("<!-- end of evaluation -->\n\nAfter.\n")
    assert f"PyTorch {torch.__version__}" in text
    assert f"tiny@1 (`{read_card(own_models / 'tiny').sha256[:8]}`)" in text
    assert "**simulated, uniform lines, R = 2, 2 slices**" in text
    head = "| method | PSNR (dB) | over zero-filled | SSIM | over zero-filled | NRMSE | s / slice | out of range |"
    assert head in text
    classical, network = (line for line in text.splitlines() if line.startswith(("| zero-filled", "| tiny")))
    assert classical.split(" | ")[2] == ""  # it is what others are compared with
    assert network.split(" | ")[2].startswith(("+", "-"))
    assert "- grappa, simulated, R=2: 32 of 64 lines were acquired" in text
    assert "old" not in text
