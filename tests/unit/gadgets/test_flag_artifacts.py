import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.engine.errors import ConfigurationError
from echotrain.engine.messages import Text
from echotrain.engine.records import CalibratedKSpace, KSpace, Reconstruction
from echotrain.gadgets import flag_artifacts
from echotrain.gadgets._flag_metadata import flags_of, reasons_of
from echotrain.gadgets._measurements import measurements_of, reconstruction_of
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.flag_artifacts import FlagArtifacts
from echotrain.gadgets.make_images import MakeImages
from echotrain.models.flags.flag import Flag
from echotrain.models.flags.flag_model import FlagData, FlagModel, Regions, Typical, save_flags
from echotrain.models.model_card import write_card
from echotrain.models.model_store import ModelStore
from echotrain.models.operators.sense import SenseOperator
from echotrain.models.perturbation.sensitivity import search_text
from echotrain.models.trained_range import TrainedRange

SIDE = 32
PLAIN = {"matrix": (SIDE, SIDE, 1), "recon": (SIDE, SIDE, 1), "fov": (200, 200, 5), "coils": 4}
LINES = [*range(0, SIDE, 2), *range(11, 21, 2)]
LEVELS = {"notice": 0.5, "warning": 0.75, "severe": 0.99}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, model_card):
    """Folder of a store with the card of a model, and its flags: of noise, and of what contradicts k-space."""
    card = model_card("net", sha256="a" * 64)
    (tmp_path / "net").mkdir()
    write_card(card, tmp_path / "net")
    model = FlagModel(
        judged="net",
        conventional="sense",
        date=dt.date(2026, 1, 1),
        weights={"net": "a" * 64},
        scope=TrainedRange(acceleration=(1, 4), matrix=(32, 32), coils=(4, 4), snr=(10, 80), masks=("uniform",)),
        data=FlagData(file="images/none.h5", slices=10, seed=0, note="none"),
        typical=Typical(features=("input_support",), mean=(0.4,), precision=((1.0,),)),
        regions=Regions(intercept=-20, weights={"misfit": 5, "misfit_contrast": 5, "disagreement_contrast": 0}),
        flags={
            "noise": Flag(intercept=-8, weights={"judged_residual_high": 20}, **LEVELS),
            "inserted_structure": Flag(intercept=-40, weights={"misfit_peak": 20}, **LEVELS),
        },
    )
    save_flags(model, tmp_path / "net")
    monkeypatch.setattr(flag_artifacts, "shared_store", lambda: ModelStore(tmp_path))
    return tmp_path


@pytest.fixture
def scan(scans):
    return scans.Scan(**PLAIN)


@pytest.fixture
def record(scans, scan):
    """``record(noise=1.0)``: k-space of a soft disc seen by four coils, and the disc."""

    def make(noise=1.0):
        (kspace,) = [m for m in scans.run(scan, Accumulate(), scan.readouts(LINES)) if isinstance(m, KSpace)]
        y, x = torch.meshgrid(*[torch.arange(SIDE) - SIDE // 2] * 2, indexing="ij")
        truth = 40 * torch.sigmoid((0.35 * SIDE - torch.hypot(y.float(), x.float())) / 1.5).to(torch.complex64)
        turns = torch.arange(4)[:, None, None] * torch.pi / 2
        maps = torch.exp(1j * turns) * (1 + 0.5 * torch.cos(turns) * y / SIDE + 0.5 * torch.sin(turns) * x / SIDE)
        maps = (maps / maps.abs().square().sum(dim=0).sqrt()).to(torch.complex64)
        mask = torch.from_numpy(kspace.sampled[0])[None, None, :, None]
        clean = SenseOperator(maps[None], mask)(truth[None])[0]
        white = torch.randn(clean.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
        data = (clean + noise * np.sqrt(2) * white * mask[0]).numpy()[:, None]
        prewhitened = replace(kspace, data=data, noise=replace(kspace.noise, prewhitened=True))
        return CalibratedKSpace(prewhitened, maps.numpy()[:, None], "known"), truth

    return make


def made(record, image, method, **meta):
    return reconstruction_of(record, image, method=method, step=method, magnitude=False, meta=meta)


LABELS = {
    "EchotrainModel": "net@1",
    "EchotrainModelHash": "a" * 16,
    "EchotrainAcceleration": "1.5",
    "EchotrainCoils": "4",
    "EchotrainSnr": "30",
}


@pytest.fixture
def flagged(scans, scan):
    """``flagged(record, truth, judged)``: images, maps, k-space and texts that the gadget sends."""

    def run(record, truth, judged=None, labels=LABELS, **fields):
        net = made(record, truth if judged is None else judged, "supervised(net@1)", **labels)
        sense = made(record, truth, "sense")
        return scans.run(scan, FlagArtifacts(judged="net", **fields), sense, net, record)

    return run


def test_a_clean_scan_has_images_without_flags_and_a_map_of_nothing(flagged, record):
    sense, net, regions = flagged(*record())
    assert [sense.quantity, net.quantity, regions.quantity] == ["magnitude", "magnitude", "flags"]
    for image in (sense, net, regions):
        assert image.meta["EchotrainFlags"] == "none"
        assert image.meta["EchotrainFlagCalibration"] == "calibrated"
        assert image.meta["EchotrainFlagsOf"] == "supervised(net@1)"
        assert flags_of(image.meta) == ()
    assert net.data.dtype == regions.data.dtype == np.float32
    assert regions.data.max() < 0.5


def test_noise_raises_a_flag_with_the_reason_in_words_and_numbers(flagged, record, scans, scan):
    _, net, _ = flagged(*record(noise=2.5))
    (flag,) = flags_of(net.meta)
    assert (flag.kind, flag.severity, flag.calibrated) == ("noise", "severe", True)
    assert "residual at high frequency 2" in reasons_of(net.meta)[0]
    (image,) = scans.run(scan, MakeImages(), net)
    assert "FLAG noise: severe" in image.meta["ImageComments"]


def test_a_structure_that_only_the_image_has_is_flagged_where_it_is(flagged, record):
    kspace, truth = record()
    judged = truth.clone()
    judged[18:23, 18:23] *= 1.6
    _, net, regions = flagged(kspace, truth, judged)
    assert [flag.kind for flag in flags_of(net.meta)] == ["inserted_structure"]
    assert "row 20, column 20" in reasons_of(net.meta)[0]
    inside = regions.data[0, 0, 16:, 16:]
    assert inside.min() > 0.9
    assert regions.data[0, 0, :16, :16].max() < 0.5


def test_beyond_what_flags_were_trained_for_they_are_not_calibrated_and_a_notice_at_most(flagged, record):
    _, net, _ = flagged(*record(noise=2.5), labels={**LABELS, "EchotrainCoils": "12"})
    (flag,) = flags_of(net.meta)
    assert (flag.severity, flag.calibrated) == ("notice", False)
    assert net.meta["EchotrainFlagCalibration"] == "not calibrated: 12 coils, trained for 4"


def test_thresholds_of_your_own_take_the_place_of_the_models(flagged, record, folder):
    never = Flag(intercept=-100, weights={"judged_residual_high": 1}, **LEVELS)
    _, net, _ = flagged(*record(noise=2.5), thresholds={"noise": never})
    assert flags_of(net.meta) == ()
    (folder / "net" / "flags-sense.toml").unlink()
    always = Flag(intercept=100, weights={"judged_residual_high": 1}, **LEVELS)
    _, net = flagged(*record(), thresholds={"noise": always})
    assert net.meta["EchotrainFlagCalibration"].endswith("thresholds that were set by hand")
    with pytest.raises(ConfigurationError, match=r"the flag noise has weights for nois\. Known"):
        flagged(*record(), thresholds={"noise": Flag(intercept=0, weights={"nois": 1}, **LEVELS)})


@pytest.mark.parametrize(("model", "flags"), [("net", ["worst_case"]), ("cg-sense", [])])
def test_worst_cases_are_looked_for_along_the_worst_change_for_the_judged_model(flagged, record, model, flags):
    kspace, truth = record(noise=1.0)
    change = np.zeros((1, *kspace.kspace.data.shape[:1], SIDE, SIDE), np.complex64)
    change[0, :, LINES[2]] = 1
    attacked = replace(
        kspace.kspace,
        data=kspace.kspace.data + 5 * change[0][:, None],
        meta={**kspace.kspace.meta, "EchotrainSensitivityModel": model},
    )
    along = Flag(intercept=-24, weights={"judged_residual_along_worst": 8}, **LEVELS)
    searched = replace(kspace, kspace=attacked, worst_change=change)
    _, net, _ = flagged(searched, truth, thresholds={"worst_case": along})
    assert [flag.kind for flag in flags_of(net.meta) if flag.kind == "worst_case"] == flags
    (reason,) = [text for text in reasons_of(net.meta) if text.startswith("worst_case")]
    assert reason.startswith("worst_case: what net and CG-SENSE" if flags else "worst_case: not looked for")


def test_flags_trained_with_another_search_are_not_calibrated(flagged, record, folder):
    file = folder / "net" / "flags-sense.toml"
    file.write_text(file.read_text().replace('search = ""', 'search = "2 steps at 0.01 of the data"'))
    kspace, truth = record()
    meta = {**kspace.kspace.meta, "EchotrainSensitivityModel": "net"}
    change = np.ones((1, *kspace.kspace.data.shape[:1], SIDE, SIDE), np.complex64)
    searched = replace(kspace, kspace=replace(kspace.kspace, meta=meta), worst_change=change)
    for steps, calibration in ((2, "calibrated"), (3, "not calibrated: the worst change was searched by 3 steps")):
        labels = {**LABELS, "EchotrainSensitivitySearch": search_text(0.01, steps)}
        _, net, _ = flagged(searched, truth, labels=labels)
        assert net.meta["EchotrainFlagCalibration"].startswith(calibration)


def test_a_model_without_flags_is_refused_when_the_chain_is_built(folder):
    (folder / "net" / "flags-sense.toml").unlink()
    with pytest.raises(ConfigurationError, match=r"there are no flags: .*echotrain calibrate flags"):
        FlagArtifacts(judged="net")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"quantity": "magnitude"}, "the image of net is magnitude, set magnitude = false"),
        ({"meta": {}}, "the image of net did not come"),
    ],
)
def test_what_cannot_be_judged_is_sent_and_says_so(scans, scan, record, change, says):
    kspace, truth = record()
    net = replace(made(kspace, truth, "supervised(net@1)", **LABELS), **change)
    text, *images = scans.run(scan, FlagArtifacts(judged="net"), made(kspace, truth, "sense"), net, kspace)
    assert isinstance(text, Text)
    assert says in text.text
    assert [image.meta["EchotrainFlags"] for image in images] == ["not assessed"] * 2


def test_images_whose_k_space_never_comes_are_sent_at_the_end(scans, scan, record):
    kspace, truth = record()
    text, image = scans.run(scan, FlagArtifacts(judged="net"), made(kspace, truth, "sense"))
    assert "its k-space did not come" in text.text
    assert image.quantity == "magnitude"


def test_k_space_passes_where_it_is_wanted(flagged, record):
    kspace, truth = record()
    *images, last = flagged(kspace, truth, keep_kspace=True, region_map=False)
    assert last is kspace
    assert all(isinstance(image, Reconstruction) for image in images)
    assert measurements_of(last).noise is not None
