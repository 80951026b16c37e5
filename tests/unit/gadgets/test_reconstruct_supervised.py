from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.engine.errors import Cancelled, ConfigurationError, DataError
from echotrain.engine.messages import NoiseState
from echotrain.engine.records import CalibratedKSpace, KSpace, Reconstruction
from echotrain.gadgets import reconstruct_supervised
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.reconstruct_supervised import ReconstructSupervised
from echotrain.models.fourier import centred_fft
from echotrain.models.model_store import ModelStore, write_model
from echotrain.models.networks.build import build
from echotrain.models.trained_range import TrainedRange

PLAIN = {"matrix": (12, 16, 1), "recon": (12, 16, 1), "fov": (200, 200, 5), "coils": 4}
OPTIONS = {"unrolls": 12, "iterations": 20, "channels": 4, "pools": 1}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch, model_card):
    """A store with one untrained MoDL, which is least squares."""
    torch.manual_seed(0)
    card = model_card(
        "tiny",
        version=3,
        architecture="modl",
        options=OPTIONS,
        trained=TrainedRange(acceleration=(1, 4), matrix=(12, 16), coils=(4, 8), snr=(1, 100), masks=("uniform",)),
    )
    write_model(tmp_path / "tiny", build("modl", OPTIONS).state_dict(), card)
    made = ModelStore(tmp_path)
    monkeypatch.setattr(reconstruct_supervised, "shared_store", lambda: made)
    return made


def calibrated(scans, scan, lines):
    (kspace,) = [m for m in scans.run(scan, Accumulate(), scan.readouts(lines)) if isinstance(m, KSpace)]
    rng = np.random.default_rng(0)
    _, *grid = kspace.data.shape
    maps, image = (rng.standard_normal((*s, *grid, 2)) @ (1, 1j) for s in ((scan.coils,), ()))
    maps /= np.linalg.norm(maps, axis=0)
    data = np.asarray(centred_fft(maps * image, (1, 2, 3)) * kspace.sampled[:, :, None], np.complex64)
    return CalibratedKSpace(replace(kspace, data=data), maps.astype(np.complex64), "known", ("maps",)), image


def run(scan, record, **fields):
    gadget = ReconstructSupervised(model="tiny", device="cpu", **fields)
    gadget.start(scan.context())
    return list(gadget.receive(record))


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_an_untrained_model_unfolds_half_the_lines(scans, runtime, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scan = scans.Scan(**PLAIN)
    record, image = calibrated(scans, scan, [y for y in range(16) if y % 2 == 0 or y % 7 == 0])
    (out,) = run(scan, record, magnitude=False, runtime=runtime)
    assert np.linalg.norm(out.data[0] - image) < 0.05 * np.linalg.norm(image)
    assert out.method == "supervised(tiny@3)"
    assert out.meta["EchotrainModel"] == "tiny@3"
    assert out.meta["EchotrainOutOfRange"] == ""
    assert ("ONNX" in out.meta["EchotrainModelRuntime"]) == (runtime == "onnx")


def test_the_image_carries_the_figures_of_its_scan(scans):
    scan = scans.Scan(**PLAIN)
    record, _ = calibrated(scans, scan, range(0, 16, 2))
    (estimated,) = run(scan, record)
    assert estimated.meta["EchotrainNoiseLevel"] == "estimated from the scan"
    assert float(estimated.meta["EchotrainAcceleration"]) == pytest.approx(2)
    assert estimated.meta["EchotrainCoils"] == "4"
    white = replace(record, kspace=replace(record.kspace, noise=NoiseState(prewhitened=True, source="this scan")))
    (measured,) = run(scan, white)
    assert measured.meta["EchotrainNoiseLevel"] == "measured"
    assert float(measured.meta["EchotrainNoiseFloor"]) == pytest.approx(1)


def test_a_volume_is_reconstructed_slice_by_slice(scans):
    scan = scans.Scan(**{**PLAIN, "matrix": (12, 16, 3), "recon": (12, 16, 3)})
    record, image = calibrated(scans, scan, [(z, y) for z in range(3) for y in range(16) if y % 2 == 0 or y % 7 == 0])
    (out,) = run(scan, record, magnitude=False)
    assert out.data.shape == (1, 3, 16, 12)
    assert np.linalg.norm(out.data[0] - image) < 0.05 * np.linalg.norm(image)


def test_a_volume_without_some_partitions_is_refused(scans):
    scan = scans.Scan(**{**PLAIN, "matrix": (12, 16, 4), "recon": (12, 16, 4)})
    record, _ = calibrated(scans, scan, [(z, y) for z in (0, 2) for y in range(16)])
    with pytest.raises(DataError, match=r"slice 0: 2 of 4 partitions"):
        run(scan, record)


def test_what_the_model_was_not_trained_for_runs_and_is_said(scans):
    scan = scans.Scan(**{**PLAIN, "coils": 3, "matrix": (12, 32, 1), "recon": (12, 32, 1)})
    record, _ = calibrated(scans, scan, range(0, 32, 8))
    (out,) = run(scan, record)
    said = out.meta["EchotrainOutOfRange"]
    known = "acceleration 8, trained for 1 to 4; 3 coils, trained for 4 to 8; "
    known += "SNR 0.252, trained for 1 to 100; "  # white noise for an image: the estimated noise is all there is
    assert said == known + "matrix 32 x 12, trained for 12 to 16"
    assert said in out.history[-1]


def test_k_space_is_passed_on_if_it_is_to_be_kept(scans):
    scan = scans.Scan(**PLAIN)
    record, _ = calibrated(scans, scan, range(16))
    image, kept = run(scan, record, keep_kspace=True)
    assert isinstance(image, Reconstruction)
    assert kept is record


def started(scan, **fields):
    gadget = ReconstructSupervised(model="tiny", device="cpu", **fields)
    gadget.start(scan.context())
    return gadget


def test_several_images_together_are_those_that_each_gives_alone_in_order(scans):
    scan = scans.Scan(**PLAIN)
    records = [calibrated(scans, scan, range(first, 16, 2))[0] for first in (0, 1, 0)]
    gadget = started(scan, keep_kspace=True)
    alone = [out for record in records for out in gadget.receive(record)]
    together = list(gadget.receive_many(records))
    assert together[1::2] == alone[1::2] == records
    for one, other in zip(alone[::2], together[::2], strict=True):
        np.testing.assert_array_equal(one.data, other.data)


def test_images_before_one_that_fails_come_out_and_those_behind_it_are_given_up(scans):
    scan = scans.Scan(**PLAIN)
    good, bad, behind = (calibrated(scans, scan, range(16))[0] for _ in range(3))
    bad.kspace.data[0, 0, 0, 0] = np.nan
    gadget = started(scan)
    stream = gadget.receive_many([good, bad, behind])
    assert isinstance(next(stream), Reconstruction)
    with pytest.raises(DataError, match="not finite"):
        next(stream)
    assert not gadget._loaded.batcher._waiting


def test_a_session_that_ends_waits_for_no_image(scans):
    scan = scans.Scan(**PLAIN)
    gadget = ReconstructSupervised(model="tiny", device="cpu")
    gadget.start(scan.context(cancelled=lambda: True))
    with pytest.raises(Cancelled, match="the session ended"):
        list(gadget.receive(calibrated(scans, scan, range(16))[0]))


def test_k_space_without_signal_gives_an_image_of_zeros(scans):
    scan = scans.Scan(**PLAIN)
    record, _ = calibrated(scans, scan, range(16))
    record = replace(record, kspace=replace(record.kspace, data=np.zeros_like(record.kspace.data)))
    (out,) = run(scan, record)
    assert not out.data.any()


def test_k_space_that_is_not_finite_is_refused(scans):
    scan = scans.Scan(**PLAIN)
    record, _ = calibrated(scans, scan, range(16))
    record.kspace.data[0, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="slice 0: k-space holds values that are not finite"):
        run(scan, record)


def test_an_unknown_model_is_refused_when_the_chain_is_built():
    with pytest.raises(ConfigurationError, match=r"no model is named 'tin'; did you mean 'tiny'.*Known: tiny"):
        ReconstructSupervised(model="tin")


def test_changed_weights_are_refused_before_the_first_readout(scans, tmp_path):
    file = tmp_path / "tiny" / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="SHA-256"):
        ReconstructSupervised(model="tiny", device="cpu").start(scans.Scan(**PLAIN).context())
