from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.engine.errors import Cancelled, ConfigurationError, DataError
from echotrain.engine.messages import NoiseState, Progress
from echotrain.engine.records import CalibratedKSpace, KSpace, Reconstruction
from echotrain.gadgets import reconstruct_diffusion
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.reconstruct_diffusion import ReconstructDiffusion
from echotrain.models.fourier import centred_fft
from echotrain.models.model_store import ModelStore, write_model
from echotrain.models.networks.build import build
from echotrain.models.runtimes import loaded_prior
from echotrain.models.trained_range import TrainedRange

PLAIN = {"matrix": (12, 16, 1), "recon": (12, 16, 1), "fov": (200, 200, 5), "coils": 4}
OPTIONS = {"channels": [4], "blocks": 1, "sigma_data": 0.7}
LINES = [y for y in range(16) if y % 2 == 0 or y % 7 == 0]


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch, model_card):
    """A store with one untrained prior, which takes images for white noise, and one network that is none."""
    torch.manual_seed(0)
    networks = {"tiny": ("diffusion_prior", OPTIONS), "net": ("unet", {"channels": 2, "pools": 1})}
    for name, (architecture, options) in networks.items():
        card = model_card(
            name,
            version=3,
            kind="prior" if name == "tiny" else "supervised",
            architecture=architecture,
            options=options,
            trained=TrainedRange(acceleration=(1, 1), matrix=(12, 16), coils=(4, 4), snr=(1, 30), masks=("uniform",)),
        )
        write_model(tmp_path / name, build(architecture, options).state_dict(), card)
    made = ModelStore(tmp_path)
    monkeypatch.setattr(reconstruct_diffusion, "shared_store", lambda: made)
    return made


def calibrated(scans, scan, lines, scale=1.0):
    (kspace,) = [m for m in scans.run(scan, Accumulate(), scan.readouts(lines)) if isinstance(m, KSpace)]
    rng = np.random.default_rng(0)
    _, *grid = kspace.data.shape
    maps, image = (rng.standard_normal((*s, *grid, 2)) @ (1, 1j) for s in ((scan.coils,), ()))
    maps /= np.linalg.norm(maps, axis=0)
    image *= 50 * scale
    noise = scale * (rng.standard_normal((*maps.shape, 2)) @ (1, 1j))
    data = np.asarray((centred_fft(maps * image, (1, 2, 3)) + noise) * kspace.sampled[:, :, None], np.complex64)
    state = NoiseState(prewhitened=scale == 1, source="this scan")  # noise of one in each part
    return CalibratedKSpace(replace(kspace, data=data, noise=state), maps.astype(np.complex64), "known"), image


def started(context, **fields):
    gadget = ReconstructDiffusion(prior="tiny", device="cpu", **{"runtime": "torch", **fields})
    gadget.start(context)
    return gadget


def run(scan, record, **fields):
    return list(started(scan.context(), **fields).receive(record))


def test_one_sample_is_a_magnitude_that_fits_what_was_measured(scans):
    scan = scans.Scan(**PLAIN)
    record, image = calibrated(scans, scan, LINES)
    (out,) = run(scan, record)
    assert out.data.dtype == np.float32
    assert out.quantity == "magnitude"
    assert out.sample is None
    assert out.method == "diffusion(tiny@3, dds, 20 steps)"
    assert np.linalg.norm(out.data[0] - np.abs(image)) < 0.4 * np.linalg.norm(image)
    assert out.meta["EchotrainSteps"] == "20 of 20"
    assert out.meta["EchotrainModel"] == "tiny@3"
    assert out.meta["EchotrainSamplerMethod"] == "dds-20x1"
    assert out.meta["EchotrainOutOfRange"] == ""


def test_several_samples_are_complex_numbered_and_differ_in_what_was_not_measured(scans):
    scan = scans.Scan(**PLAIN)
    record, _ = calibrated(scans, scan, range(0, 16, 4))
    outs = run(scan, record, samples=3, keep_kspace=True)
    assert outs.pop() is record
    assert [out.sample for out in outs] == [(1, 3), (2, 3), (3, 3)]
    assert all(out.quantity == "complex" and out.data.dtype == np.complex64 for out in outs)
    measured = np.asarray(record.sensitivities)[:, 0]
    spectra = [centred_fft(measured * out.data[0, 0], (1, 2)) for out in outs[:2]]
    difference, rows = np.abs(spectra[0] - spectra[1]), np.arange(16) % 4 == 0
    assert difference[:, rows].mean() < 0.3 * difference[:, ~rows].mean()


def test_the_unit_of_the_scan_does_not_matter(scans):
    scan = scans.Scan(**PLAIN)
    one, large = (run(scan, calibrated(scans, scan, LINES, scale)[0], magnitude=False)[0] for scale in (1e-6, 1e5))
    np.testing.assert_allclose(large.data, 1e11 * one.data, rtol=1e-2, atol=1e5)
    assert one.meta["EchotrainNoiseLevel"] == "estimated from the scan"


def test_a_session_s_seed_and_the_place_in_the_scan_decide_what_is_drawn(scans):
    scan = scans.Scan(**PLAIN)
    record, _ = calibrated(scans, scan, range(0, 16, 4))
    elsewhere = replace(record, kspace=replace(record.kspace, key=record.kspace.key._replace(repetition=1)))
    other = list(started(replace(scan.context(), seed=1)).receive(record))
    first, again, moved = (run(scan, r)[0].data for r in (record, record, elsewhere))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - moved).max() > 1
    assert np.abs(first - other[0].data).max() > 1


def test_a_hot_start_begins_at_the_image_of_a_named_model_whose_weights_and_range_the_image_names(scans):
    scan = scans.Scan(**PLAIN)
    record, _ = calibrated(scans, scan, LINES)
    hot = {"hot": True, "sigma_max": 0.05}
    (conventional,) = run(scan, record, settings=hot, steps=1)
    (out,) = run(scan, record, settings=hot, steps=1, start_from="net")
    assert out.meta["EchotrainModel"] == ("tiny@3", "net@3")
    assert len(set(out.meta["EchotrainModelHash"])) == 2
    assert out.meta["EchotrainSamplerMethod"] == "dds-1x1-sigma_max_0.05-hot_true-from_net"
    assert out.meta["EchotrainSamplerStart"] == "net"
    assert out.meta["EchotrainOutOfRange"].startswith("net@3: acceleration 1.78, trained for 1")
    assert any("dds from net, 1 of 1 steps, by tiny@3" in step for step in out.history)
    assert "EchotrainSamplerStart" not in conventional.meta
    assert np.linalg.norm(out.data - conventional.data) > 1e-3 * np.linalg.norm(out.data)


def test_a_hot_start_may_begin_at_a_classical_image_of_each_slice_of_a_volume(scans):
    scan = scans.Scan(**{**PLAIN, "matrix": (12, 16, 3), "recon": (12, 16, 3)})
    record, _ = calibrated(scans, scan, [(z, y) for z in range(3) for y in LINES])
    (out,) = run(scan, record, settings={"hot": True}, steps=1, start_from="zero-filled")
    assert out.data.shape[-3:] == (3, 16, 12)
    assert out.meta["EchotrainModel"] == "tiny@3"


def test_a_volume_is_sampled_slice_by_slice(scans):
    scan = scans.Scan(**{**PLAIN, "matrix": (12, 16, 3), "recon": (12, 16, 3)})
    record, image = calibrated(scans, scan, [(z, y) for z in range(3) for y in LINES])
    outs = run(scan, record, samples=2)
    assert [out.data.shape for out in outs] == [(1, 3, 16, 12)] * 2
    assert np.linalg.norm(outs[0].data[0] - image) < 0.5 * np.linalg.norm(image)


VOLUME = {**PLAIN, "matrix": (12, 16, 3), "recon": (12, 16, 3)}
ALIKE = [(z, y) for z in range(3) for y in LINES]


@pytest.mark.parametrize("sampler", ["volume-dds", "mbir"])
def test_a_volume_is_sampled_as_one_by_samplers_of_volumes(scans, sampler):
    scan, told = scans.Scan(**VOLUME), []
    record, image = calibrated(scans, scan, ALIKE)
    fields = {"sampler": sampler, "steps": 20, "samples": 2, "settings": {"tv": 0.0, "sigma_max": 10.0}}
    outs = list(started(replace(scan.context(), notify=told.append), **fields).receive(record))
    assert [(out.sample, out.data.shape) for out in outs] == [((1, 2), (1, 3, 16, 12)), ((2, 2), (1, 3, 16, 12))]
    assert all(np.linalg.norm(out.data[0] - image) < 0.6 * np.linalg.norm(image) for out in outs)
    assert told == [Progress("reconstruct_diffusion", n, 40, "slice 0") for n in range(1, 41)]
    meta = outs[0].meta
    assert meta["EchotrainSampler"] == sampler
    assert meta["EchotrainSteps"] == "20 of 20"
    assert meta["EchotrainSliceCoupling"] == "total variation between 3 slices"
    assert "EchotrainRemarks" not in meta
    for out, again in zip(outs, run(scan, record, **fields), strict=True):
        np.testing.assert_array_equal(out.data, again.data)


def test_total_variation_makes_slices_of_a_volume_more_alike(scans):
    scan = scans.Scan(**VOLUME)
    record, _ = calibrated(scans, scan, ALIKE)
    apart, together = (
        run(scan, record, sampler="volume-dds", settings={"tv": tv}, magnitude=False)[0].data for tv in (0.0, 0.1)
    )
    assert np.abs(np.diff(together, axis=1)).mean() < 0.8 * np.abs(np.diff(apart, axis=1)).mean()


def test_samplers_of_volumes_take_any_sampling_of_the_partitions(scans):
    scan = scans.Scan(**VOLUME)
    record, _ = calibrated(scans, scan, [(z, y) for z in range(3) for y in range(16) if z == 1 or y % 2 == z // 2])
    with pytest.raises(DataError, match="not all alike"):
        run(scan, record)
    (out,) = run(scan, record, sampler="volume-dds")
    assert np.isfinite(out.data).all()


@pytest.mark.parametrize("sampler", ["volume-dds", "mbir"])
def test_a_slice_that_came_alone_is_a_volume_of_one_and_the_image_says_so(scans, sampler):
    scan = scans.Scan(**PLAIN)
    record, image = calibrated(scans, scan, LINES)
    (out,) = run(scan, record, sampler=sampler, steps=20, settings={"sigma_max": 10.0})
    assert out.data.shape == (1, 1, 16, 12)
    assert np.linalg.norm(out.data[0] - np.abs(image)) < 0.5 * np.linalg.norm(image)
    assert out.meta["EchotrainSliceCoupling"] == "none, of a single slice"
    assert out.meta["EchotrainRemarks"] == (f"{sampler} holds the slices of volumes together: this came alone",)


def test_a_deadline_for_a_volume_means_fewer_steps(scans):
    scan = scans.Scan(**VOLUME)
    (out,) = run(scan, calibrated(scans, scan, ALIKE)[0], sampler="volume-dds", steps=5000, deadline=1e-6)
    assert out.meta["EchotrainSteps"] == "1 of 5000"


def test_a_volume_that_does_not_fit_the_memory_is_refused(scans, monkeypatch):
    scan = scans.Scan(**VOLUME)
    record, _ = calibrated(scans, scan, ALIKE)
    monkeypatch.setattr("echotrain.models.runtimes.memory.free_bytes", lambda _device: 1e5)
    with pytest.raises(DataError, match=r"slice 0: tiny@3 would take about .* GiB for 1 volumes of 3 x 16 x 12"):
        run(scan, record, sampler="volume-dds")


def test_progress_is_told(scans):
    scan, told = scans.Scan(**PLAIN), []
    gadget = started(replace(scan.context(), notify=told.append), steps=4)
    list(gadget.receive(calibrated(scans, scan, LINES)[0]))
    assert told == [Progress("reconstruct_diffusion", n, 4, "slice 0") for n in range(1, 5)]


def test_a_deadline_means_fewer_steps_and_the_image_says_so(scans):
    scan = scans.Scan(**PLAIN)
    (out,) = run(scan, calibrated(scans, scan, LINES)[0], steps=5000, deadline=1e-6)
    assert out.meta["EchotrainSteps"] == "1 of 5000"
    assert out.method == "diffusion(tiny@3, dds, 1 steps)"
    assert out.meta["EchotrainSamplerMethod"] == "dds-5000x1"


def test_a_session_that_ends_is_not_waited_for(scans):
    scan = scans.Scan(**PLAIN)
    gadget = started(replace(scan.context(), cancelled=lambda: True))
    with pytest.raises(Cancelled):
        list(gadget.receive(calibrated(scans, scan, LINES)[0]))


def test_a_matrix_that_the_prior_was_not_trained_for_is_said(scans):
    scan = scans.Scan(**{**PLAIN, "matrix": (12, 32, 1), "recon": (12, 32, 1)})
    (out,) = run(scan, calibrated(scans, scan, range(0, 32, 2))[0])
    assert out.meta["EchotrainOutOfRange"] == "matrix 32, trained for 12 to 16"


def test_nothing_measured_and_values_that_are_not_finite_are_refused(scans):
    scan = scans.Scan(**PLAIN)
    record, _ = calibrated(scans, scan, LINES)
    record.kspace.data[:] = 0
    with pytest.raises(DataError, match="slice 0: there is no signal"):
        run(scan, record)
    record.kspace.data[0, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        run(scan, record)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"prior": "tinny"}, "did you mean 'tiny'"),
        ({"prior": "net"}, "net@3 is no prior but supervised. Known priors: tiny"),
        ({"sampler": "ddss"}, "did you mean 'dds'"),
        ({"settings": {"etta": 1.0}}, "did you mean 'eta'"),
        ({"sampler": "pc"}, "pc has sigma_max = 128, but the prior tiny.* knows noise from .* set sigma_max = 80"),
        ({"start_from": "tv"}, "got 'tv' to start at, and the sampler begins at noise; set hot to true"),
        ({"start_from": "nett", "settings": {"hot": True}}, "did you mean 'net'"),
        ({"start_from": "tiny", "settings": {"hot": True}}, "no method is named 'tiny'"),
        ({"sampler": "dps", "runtime": "onnx", "settings": {"sigma_max": 80.0}}, "dps differentiates the prior"),
        ({"sampler": "dps", "runtime": "bfloat16", "settings": {"sigma_max": 80.0}}, "dps differentiates the prior"),
    ],
)
def test_what_cannot_be_set_is_refused_before_the_first_readout(scans, fields, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        ReconstructDiffusion(**{"prior": "tiny", "device": "cpu", **fields}).start(scans.Scan(**PLAIN).context())


@pytest.mark.parametrize("sampler", ["dps", "scd"])
def test_samplers_that_differentiate_run_in_torch(scans, sampler):
    scan = scans.Scan(**PLAIN)
    (out,) = run(scan, calibrated(scans, scan, LINES)[0], sampler=sampler, settings={"sigma_max": 10.0}, steps=3)
    assert isinstance(out, Reconstruction)
    assert np.isfinite(out.data).all()


def test_a_device_without_memory_is_left_for_the_processor(scans):
    scan = scans.Scan(**PLAIN)
    gadget = started(scan.context(), samples=2, settings={"hot": True}, start_from="net")
    expected = [out.data for out in gadget.receive(calibrated(scans, scan, LINES)[0])]
    first, begin_at = gadget._loaded, gadget._begin_at

    class Full(loaded_prior.LoadedPrior):
        def denoise(self, x, sigma):
            raise torch.OutOfMemoryError

    gadget._loaded = Full(**{name: getattr(first, name) for name in first.__dataclass_fields__})
    outs = list(gadget.receive(calibrated(scans, scan, LINES)[0]))
    for one, other in zip(expected, outs, strict=True):
        np.testing.assert_array_equal(one, other.data)
    assert all("cpu" in runtime for runtime in outs[0].meta["EchotrainModelRuntime"])
    assert gadget._begin_at is begin_at  # of the device that the next image is tried on first
