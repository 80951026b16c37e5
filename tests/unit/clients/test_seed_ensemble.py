"""One recipe trained from two seeds: from ``echotrain train`` to calibrated intervals of the ensemble."""

import numpy as np
import pytest
import typer
from safetensors.torch import load_file
from typer.testing import CliRunner

from echotrain import models
from echotrain.clients.cli.calibrate import calibrate
from echotrain.clients.cli.train import train
from echotrain.engine.chain import Chain
from echotrain.engine.errors import ConfigurationError
from echotrain.engine.gadget import Context
from echotrain.engine.mrd_header import Encoding, ScanHeader, Space
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.records import CalibratedKSpace, Key, KSpace, NoiseState
from echotrain.gadgets import estimate_uncertainty, reconstruct_supervised
from echotrain.gadgets.estimate_uncertainty import EstimateUncertainty
from echotrain.gadgets.reconstruct_supervised import ReconstructSupervised
from echotrain.models.evaluation.simulated_cases import simulated_cases
from echotrain.models.model_store import ModelStore
from echotrain.models.uncertainty.calibration_record import load_calibration

RECIPE = """
[model]
name = "tiny"
architecture = "unet"
options = { channels = 2, pools = 1 }
[data]
images = "images/brains_train.h5"
validation = ["msl-04"]
[acquisition]
crop = [32, 32]
coils = [4, 4]
acceleration = [2.0, 3.0]
[training]
steps = 4
batch = 2
learning_rate = 1e-3
validate_every = 2
validation_batches = 1
"""


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return what runs a command, in a checkout of its own, where weights go to its models/weights."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "tiny.toml").write_text(RECIPE)
    monkeypatch.setattr(models, "__file__", str(tmp_path / "models" / "__init__.py"))

    def invoke(command, *arguments):
        app = typer.Typer()
        app.command()(command)
        return CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu"])

    return invoke


@pytest.mark.usefixtures("heads")
def test_one_recipe_trained_from_two_seeds_is_an_ensemble_that_can_be_calibrated(run, tmp_path, monkeypatch):
    for seed in (1, 2):
        result = run(train, "tiny.toml", "--seed", seed)
        assert result.exit_code == 0, result.output
        assert f"run in runs/tiny-seed{seed}, weights to {tmp_path}/models/weights/tiny-seed{seed}" in result.stdout
    folder = tmp_path / "models" / "weights"
    store = ModelStore(folder)
    assert store.names() == ("tiny-seed1", "tiny-seed2")
    card = store.card("tiny-seed2")
    assert (card.seed, card.recipe, card.version) == (2, "tiny --seed 2", 1)
    one, two = (load_file(folder / name / "weights.safetensors") for name in store.names())
    assert any((one[name] != two[name]).any() for name in one)

    scope = ("--acceleration", "2,3", "--coils", "4,4", "--matrix", "48,48", "--snr", "30,90")
    named = ("--members", "tiny-seed1,tiny-seed2", "--weights", folder, "--alpha", "0.5", "--slices", 12)
    result = run(calibrate, *named, *scope)
    assert result.exit_code == 0, result.output
    record = load_calibration(folder / "tiny-seed1", "tiny-seed1+tiny-seed2")
    assert record.weights == {name: store.card(name).sha256 for name in store.names()}

    for module in (estimate_uncertainty, reconstruct_supervised):
        monkeypatch.setattr(module, "shared_store", lambda: store)
    mean, deviation, width = _in_a_chain(store.names())
    assert mean.method == "ensemble(tiny-seed1, tiny-seed2)+mean"
    assert 0 < deviation.data.mean() < mean.data.mean()
    assert width.meta["EchotrainCalibration"].startswith("calibrated: ")
    assert width.meta["EchotrainIntervalScale"] == repr(record.scale)


@pytest.mark.usefixtures("heads")
def test_training_from_a_seed_goes_on_where_it_was_and_leaves_the_recipes_own_model_alone(run, tmp_path):
    assert run(train, "tiny.toml").exit_code == 0
    weights = (tmp_path / "models/weights/tiny/weights.safetensors").read_bytes()
    assert run(train, "tiny.toml", "--seed", 3).exit_code == 0
    assert "ended before at step 4" in run(train, "tiny.toml", "--seed", 3).stdout
    assert (tmp_path / "models/weights/tiny/weights.safetensors").read_bytes() == weights


def test_a_name_that_the_seed_makes_too_long_is_refused(run, tmp_path):
    (tmp_path / "tiny.toml").write_text(RECIPE.replace('"tiny"', f'"{"t" * 60}"'))
    result = run(train, "tiny.toml", "--seed", 12345)
    assert isinstance(result.exception, ConfigurationError)
    assert "with the seed 12345: model.name: got" in str(result.exception)


def _in_a_chain(names):
    """What a chain makes of a simulated scan by these models."""
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    image = np.where(x**2 + y**2 < 0.6, 120, 0).astype(np.uint8)
    (case,) = simulated_cases(image[None], 2.5, coils=4, snr=50)
    space = Space((48, 48, 1), (200, 200, 5))
    kspace = KSpace(
        key=Key(),
        data=case.measurements.kspace[0].numpy()[:, None],
        sampled=case.measurements.mask[0, 0].numpy().any(axis=-1)[None],
        header=np.zeros((), ACQUISITION_DTYPE),
        encoding=Encoding(encoded=space, recon=space),
        noise=NoiseState(prewhitened=True, source="simulated"),
    )
    maps = case.measurements.maps[0].numpy()[:, None]
    gadgets = [
        *(ReconstructSupervised(model=name, device="cpu", magnitude=False, keep_kspace=True) for name in names),
        EstimateUncertainty(members=names, outputs=("mean", "standard_deviation", "interval_width")),
    ]
    chain = Chain([(f"gadget {n}", gadget) for n, gadget in enumerate(gadgets)], check=False)
    chain.start(Context(header=ScanHeader(encodings=(kspace.encoding,))))
    made = [*chain.feed(CalibratedKSpace(kspace, maps, "known")), *chain.finish()]
    return [one for one in made if not isinstance(one, CalibratedKSpace)]
