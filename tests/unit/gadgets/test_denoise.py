import numpy as np
import pytest
import torch

from echotrain.engine.errors import Cancelled, ConfigurationError, DataError
from echotrain.engine.messages import Progress, Text
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.records import Key, Reconstruction
from echotrain.gadgets import denoise
from echotrain.gadgets.denoise import Denoise
from echotrain.gadgets.estimate_uncertainty import EstimateUncertainty
from echotrain.gadgets.make_images import MakeImages
from echotrain.models.model_store import ModelStore, write_model
from echotrain.models.networks.build import build
from echotrain.models.trained_range import TrainedRange

SPREAD = 0.5
"""Standard deviation of each part of the images that the untrained prior knows, which are white noise."""
OPTIONS = {"channels": [4], "blocks": 1, "sigma_data": SPREAD}
INTENSITY = 4.0


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch, model_card):
    """A store with an untrained prior, D(x, s) = SPREAD^2 / (SPREAD^2 + s^2) x, and one network that is none."""
    torch.manual_seed(0)
    networks = {"tiny": ("diffusion_prior", OPTIONS), "net": ("unet", {"channels": 2, "pools": 1})}
    for name, (architecture, options) in networks.items():
        card = model_card(
            name,
            version=3,
            kind="prior" if name == "tiny" else "supervised",
            architecture=architecture,
            options=options,
            trained=TrainedRange(acceleration=(1, 1), matrix=(24, 32), coils=(4, 4), snr=(1, 30), masks=("uniform",)),
        )
        write_model(tmp_path / name, build(architecture, options).state_dict(), card)
    made = ModelStore(tmp_path)
    monkeypatch.setattr(denoise, "shared_store", lambda: made)
    return made


def image(scans, shape=(1, 1, 32, 24), *, intensity=INTENSITY, unit="SNR", acceleration=(1, 1), **options):
    """An image of one magnitude everywhere and random phase."""
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, shape)
    scan = scans.Scan(matrix=(24, 32, shape[1]), fov=(200, 200, 5), acceleration=acceleration)
    values = {
        "key": Key(),
        "data": (intensity * np.exp(1j * phase)).astype(np.complex64),
        "header": np.zeros((), ACQUISITION_DTYPE),
        "encoding": scan.header.encodings[0],
        "method": "fourier+adaptive",
        "quantity": "complex",
        "unit": unit,
        "history": ("accumulate",),
    }
    return Reconstruction(**{**values, **options})


def run(scans, messages, **fields):
    context = {name: fields.pop(name) for name in ("notify", "cancelled", "seed") if name in fields}
    gadget = Denoise(**{"prior": "tiny", "device": "cpu", "runtime": "torch", "magnitude": False, **fields})
    return scans.run(scans.Scan(), gadget, *(messages if isinstance(messages, list) else [messages]), **context)


def left(sigma=1.0):
    """What one step leaves of an image whose noise is sigma."""
    unit = INTENSITY / 1.01  # of the prior: brightness of a CG-SENSE image, whose lambda is .01
    return SPREAD**2 / (SPREAD**2 + (sigma / unit) ** 2)


def test_one_step_is_the_mean_of_all_that_an_image_in_snr_units_may_be(scans):
    noisy = image(scans)
    (out,) = run(scans, noisy)
    np.testing.assert_allclose(out.data, left() * noisy.data, rtol=1e-4)
    assert out.method == "fourier+adaptive+denoised(tiny@3, one_step)"
    assert (out.unit, out.quantity, out.sample) == ("SNR", "complex", None)
    assert out.meta["EchotrainNoiseLevel"] == "measured"
    assert float(out.meta["EchotrainNoiseFloor"]) == pytest.approx(1)
    assert out.meta["EchotrainSamplerMethod"] == "one_step-1x1"
    assert out.meta["EchotrainOutOfRange"] == ""
    assert out.history[-1].startswith("denoise: one_step, by tiny@3 on ")


def test_a_stated_noise_level_is_taken(scans):
    noisy = image(scans, unit="k-space noise")
    (out,) = run(scans, noisy, sigma=3.0)
    np.testing.assert_allclose(out.data, left(3) * noisy.data, rtol=1e-4)
    assert out.meta["EchotrainNoiseLevel"] == "stated in the chain"


def test_without_a_noise_measurement_the_level_is_estimated_and_that_is_said(scans):
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((1, 1, 32, 24, 2)) @ (1, 1j)
    noisy = image(scans, unit="a.u.", data=(1e-6 * (INTENSITY + noise)).astype(np.complex64))
    (out,) = run(scans, noisy)
    assert out.meta["EchotrainNoiseLevel"] == "estimated from the scan"
    assert float(out.meta["EchotrainNoiseFloor"]) == pytest.approx(1e-6, rel=0.25)
    assert np.linalg.norm(out.data) / np.linalg.norm(noisy.data) == pytest.approx(left(), rel=0.1)


def test_many_deterministic_steps_end_at_the_spread_of_the_prior(scans):
    noisy = image(scans)
    (out,) = run(scans, noisy, method="deterministic", steps=200)
    # the probability flow of a Gaussian scales by the ratio of standard deviations (Song et al. 2021)
    np.testing.assert_allclose(out.data, np.sqrt(left()) * noisy.data, rtol=0.02)
    (again,) = run(scans, noisy, method="deterministic", steps=200, seed=7)
    np.testing.assert_array_equal(out.data, again.data)
    assert out.method == "fourier+adaptive+denoised(tiny@3, deterministic, 200 steps)"


def test_samples_spread_about_what_one_step_gives_as_the_posterior_does(scans):
    noisy = image(scans)
    made = run(scans, noisy, method="stochastic", steps=50, samples=32)
    assert [out.sample for out in made] == [(n + 1, 32) for n in range(32)]
    data = np.stack([out.data for out in made])
    expected = np.sqrt(left())  # of each part: sigma^2 = 1 times SPREAD^2 / (SPREAD^2 + sigma^2)
    assert data.real.std(axis=0, ddof=1).mean() == pytest.approx(expected, rel=0.05)
    assert np.abs(data.mean(axis=0) - left() * noisy.data).mean() < 0.25 * expected


def test_samples_depend_on_the_seed_and_the_image_alone(scans):
    noisy, other = image(scans), image(scans, key=Key(slice=1))
    fields = {"method": "stochastic", "steps": 4, "samples": 2}
    first, second, elsewhere, _ = run(scans, [noisy, other], **fields)
    again = run(scans, noisy, **fields)
    np.testing.assert_array_equal(first.data, again[0].data)
    for different in (second, elsewhere, run(scans, noisy, seed=1, **fields)[0]):
        assert not np.array_equal(first.data, different.data)


def test_samples_are_an_ensemble(scans):
    gadgets = [
        Denoise(prior="tiny", device="cpu", runtime="torch", method="stochastic", steps=4, samples=4),
        EstimateUncertainty(),
        MakeImages(),
    ]
    mean, deviation, width, _ = scans.run(scans.Scan(), gadgets, image(scans))
    assert mean.pixels.dtype == np.float32
    assert deviation.pixels.min() > 0
    assert "not calibrated: there is no calibration of stochastic-4x4" in width.meta["ImageComments"]


def test_a_volume_is_denoised_slice_by_slice_and_its_empty_slices_stay_empty(scans):
    noisy = image(scans, (1, 3, 32, 24))
    noisy.data[:, 1] = 0
    (out,) = run(scans, noisy)
    np.testing.assert_allclose(out.data[:, ::2], left() * noisy.data[:, ::2], rtol=1e-4)
    assert not out.data[:, 1].any()


def test_magnitudes_are_given_if_asked_for_and_the_noisy_image_too(scans):
    noisy = image(scans)
    original, out = run(scans, noisy, magnitude=True, keep_original=True)
    np.testing.assert_array_equal(original.data, np.abs(noisy.data))
    assert original.method == "fourier+adaptive"
    assert {one.quantity for one in (original, out)} == {"magnitude"}
    assert {one.data.dtype for one in (original, out)} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"unit": "k-space noise"}, "not sampled in full"),
        ({"unit": "a.u.", "meta": {"EchotrainComplete": "false", "EchotrainMissingLines": "3"}}, "not sampled in full"),
        ({"unit": "a.u.", "acceleration": (2, 1)}, "the scan was undersampled"),
    ],
)
def test_an_image_whose_noise_is_not_white_passes_as_it_is_and_says_so(scans, changes, reason):
    noisy = image(scans, **changes)
    warning, out, other = run(scans, [noisy, noisy], magnitude=True)
    assert isinstance(warning, Text)
    assert reason in warning.text
    for one in (out, other):
        np.testing.assert_array_equal(one.data, np.abs(noisy.data))
        assert one.method == noisy.method
        (made,) = scans.run(scans.Scan(), MakeImages(), one)
        assert "not denoised: " in made.meta["ImageComments"]
        assert reason in made.meta["ImageComments"]


def test_what_the_prior_was_not_trained_for_is_said(scans):
    (out,) = run(scans, image(scans, (1, 1, 32, 96), intensity=1e3))
    assert out.meta["EchotrainOutOfRange"] == (
        "matrix 96, trained for 24 to 32; noise 0.00101 of the intensity, trained for 0.005 to 80"
    )


def test_progress_is_told_and_a_session_that_ends_stops_it(scans):
    told = []
    run(scans, image(scans, (1, 2, 32, 24)), method="deterministic", steps=3, notify=told.append)
    assert told == [Progress("denoise", n + 1, 6, "slice 0") for n in range(6)]
    with pytest.raises(Cancelled):
        run(scans, image(scans), cancelled=lambda: True)


def test_magnitudes_are_refused_for_their_noise(scans):
    magnitude = image(scans, data=np.ones((1, 1, 32, 24), np.float32), quantity="magnitude")
    with pytest.raises(ConfigurationError, match="got a magnitude image, whose noise is no longer Gaussian"):
        run(scans, magnitude)


def test_maps_of_other_quantities_pass_unchanged(scans):
    deviation = image(scans, data=np.ones((1, 1, 32, 24), np.float32), quantity="standard_deviation")
    assert run(scans, deviation) == [deviation]


def test_values_that_are_not_finite_are_refused(scans):
    noisy = image(scans)
    noisy.data[0, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="slice 0: the image holds values that are not finite"):
        run(scans, noisy)


def test_samples_that_would_all_be_one_are_refused_when_the_chain_is_built():
    with pytest.raises(ConfigurationError, match='8 samples by method "one_step" would all be the same'):
        Denoise(prior="tiny", samples=8)


def test_what_is_no_prior_is_refused_when_the_chain_is_built():
    with pytest.raises(ConfigurationError, match=r"net@3 is no prior but supervised\. Known priors: tiny"):
        Denoise(prior="net")
    with pytest.raises(ConfigurationError, match="no model is named 'tinny'"):
        Denoise(prior="tinny")
