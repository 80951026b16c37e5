import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.engine.errors import ConfigurationError, DataError
from echotrain.engine.messages import Text
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.records import Key, Reconstruction
from echotrain.gadgets import estimate_uncertainty
from echotrain.gadgets.estimate_uncertainty import EstimateUncertainty
from echotrain.gadgets.make_images import MakeImages
from echotrain.gadgets.scale_images import ScaleImages
from echotrain.models.model_card import write_card
from echotrain.models.model_store import ModelStore
from echotrain.models.toml_text import toml_value
from echotrain.models.trained_range import TrainedRange
from echotrain.models.uncertainty.calibration_record import CalibrationData, CalibrationRecord, save_calibration
from echotrain.models.uncertainty.pooled import pooled_deviation

HASHES = {"ann": "a" * 64, "bob": "b" * 64, "prior": "c" * 64}
SCOPE = TrainedRange(acceleration=(2, 8), matrix=(6, 12), coils=(2, 4), snr=(10, 80), masks=("uniform",))
FIGURES = {
    "EchotrainNoiseLevel": "measured",
    "EchotrainNoiseFloor": "1.0",
    "EchotrainAcceleration": "4.0",
    "EchotrainCoils": "3",
    "EchotrainSnr": "20.0",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, model_card):
    """Folder of a store with the cards of two models and a prior."""
    for name, digest in HASHES.items():
        card = model_card(
            name,
            kind="prior" if name == "prior" else "supervised",
            sha256=digest,
            trained=SCOPE,
        )
        (tmp_path / name).mkdir()
        write_card(card, tmp_path / name)
    monkeypatch.setattr(estimate_uncertainty, "shared_store", lambda: ModelStore(tmp_path))
    return tmp_path


def record(method, weights, **changes):
    values = {
        "method": method,
        "construction": "deviation",
        "scale": 2.5,
        "alpha": 0.1,
        "delta": 0.05,
        "risk": 0.08,
        "bound": 0.099,
        "date": dt.date(2026, 1, 1),
        "weights": {name: HASHES[name] for name in weights},
        "scope": SCOPE,
        "data": CalibrationData(file="images/none.h5", subjects=("one",), slices=100, seed=0, note="none"),
    }
    return CalibrationRecord(**{**values, **changes})


def numbers(count, *, peak=100.0, seed=0):
    rng = np.random.default_rng(seed)
    images = peak * (1 + 0.1 * rng.standard_normal((count, 1, 1, 8, 8, 2)) @ (1, 1j))
    return images.astype(np.complex64)


def image(scans, data, method, meta=(), **options):
    return Reconstruction(
        key=options.pop("key", Key()),
        data=data,
        header=np.zeros((), ACQUISITION_DTYPE),
        encoding=scans.Scan(matrix=(8, 8, 1), fov=(200, 200, 5)).header.encodings[0],
        method=method,
        quantity=options.pop("quantity", "complex"),
        unit="SNR",
        history=("accumulate", method),
        meta={**FIGURES, "EchotrainOutOfRange": "", **dict(meta)},
        **options,
    )


def samples(scans, data, *, of=None, meta=(), **options):
    """Images of one slice as ``reconstruct_diffusion`` makes them."""
    count = of or len(data)
    labels = {
        "EchotrainModel": "prior@1",
        "EchotrainModelHash": HASHES["prior"][:16],
        "EchotrainSamplerMethod": f"dds-20x{count}",
        "EchotrainSteps": "20 of 20",
        **dict(meta),
    }
    return [
        image(scans, one, "diffusion(prior@1, dds, 20 steps)", labels, sample=(n + 1, count), **options)
        for n, one in enumerate(data)
    ]


def member(scans, name, data, **options):
    labels = {"EchotrainModel": f"{name}@1", "EchotrainModelHash": HASHES[name][:16], **options.pop("meta", {})}
    return image(scans, data, f"supervised({name}@1)", labels, **options)


TV = {"weight": 0.004, "iterations": 60, "inner_iterations": 3}


def classical(scans, data, settings=(), **options):
    """An image as ``reconstruct_compressed_sensing`` makes it: it says nothing of the scan."""
    made = image(scans, data, "cs-tv", **options)
    return replace(made, meta={"EchotrainMethodSettings": f"cs-tv = {toml_value({**TV, **dict(settings)})}"})


def estimated(scans, messages, **fields):
    return scans.run(scans.Scan(), EstimateUncertainty(**fields), *messages)


def pooled(deviation):
    return pooled_deviation(torch.from_numpy(deviation)).numpy()


def test_samples_become_mean_deviation_nominal_width_and_the_first(scans):
    data = numbers(8)
    mean, deviation, width, first = estimated(scans, samples(scans, data))
    expected = np.std(np.abs(data), axis=0, ddof=1)
    np.testing.assert_allclose(mean.data, np.abs(data.mean(axis=0)), rtol=1e-5)
    np.testing.assert_allclose(deviation.data, expected, rtol=1e-4)
    np.testing.assert_allclose(width.data, 2 * 1.6449 * pooled(expected), rtol=1e-4)
    np.testing.assert_array_equal(first.data, np.abs(data[0]))
    assert [out.quantity for out in (mean, deviation, width, first)] == [
        "magnitude",
        "standard_deviation",
        "interval_width",
        "magnitude",
    ]
    assert all(out.data.dtype == np.float32 and out.sample is None and out.unit == "SNR" for out in (mean, width))
    assert len({(out.method, out.quantity) for out in (mean, deviation, width, first)}) == 4
    assert mean.meta["EchotrainSamples"] == "8 of 8"
    assert mean.history == ("accumulate", "diffusion(prior@1, dds, 20 steps)", "estimate_uncertainty: mean of 8 of 8")


def test_no_interval_is_narrower_than_the_noise_or_reaches_below_zero(scans):
    data = np.stack([np.full((1, 1, 8, 8), 0.5, np.complex64)] * 3)
    (width,) = estimated(scans, samples(scans, data), outputs=["interval_width"])
    np.testing.assert_allclose(width.data, 0.5 + 1.6449, rtol=1e-5)  # from 0 to .5 + 1.6449 times the noise


def test_images_of_any_scale_give_maps_of_that_scale(scans):
    data = numbers(4)
    deviations = []
    for factor in (1e-18, 1, 1e18):
        (out,) = estimated(scans, samples(scans, data * np.float32(factor)), outputs=["standard_deviation"])
        deviations.append(out.data / np.float32(factor))
    np.testing.assert_allclose(deviations[0], deviations[1], rtol=1e-4)
    np.testing.assert_allclose(deviations[2], deviations[1], rtol=1e-4)


def test_images_without_signal_give_maps_of_nothing(scans):
    out = estimated(scans, samples(scans, np.zeros((3, 1, 1, 8, 8), np.complex64), meta={"EchotrainNoiseFloor": "0.0"}))
    assert all(np.isfinite(one.data).all() and one.data.max() < 1e-30 for one in out)


def test_images_of_several_models_are_one_ensemble_in_any_order(scans):
    data = numbers(2)
    ann, bob = (member(scans, name, one) for name, one in zip(("ann", "bob"), data, strict=True))
    for order in ((ann, bob), (bob, ann)):
        mean, deviation, width, first = estimated(scans, order, members=["ann", "bob"])
        np.testing.assert_allclose(mean.data, np.abs(data.mean(axis=0)), rtol=1e-5)
        np.testing.assert_allclose(deviation.data, np.std(np.abs(data), axis=0, ddof=1), rtol=1e-3, atol=1e-3)
        assert mean.method == "ensemble(ann, bob)+mean"
        assert first.method == order[0].method
        assert set(width.meta["EchotrainModel"]) == {"ann@1", "bob@1"}
        assert len(width.meta["EchotrainModelHash"]) == 2
        assert {"supervised(ann@1)", "supervised(bob@1)"} < set(width.history)


def test_what_any_member_was_not_trained_for_is_said_of_the_ensemble(scans):
    far = {"EchotrainOutOfRange": "acceleration 12, trained for 2 to 8"}
    ann, bob = (member(scans, n, d, meta=m) for n, d, m in zip(("ann", "bob"), numbers(2), ({}, far), strict=True))
    (mean,) = estimated(scans, (ann, bob), members=["ann", "bob"], outputs=["mean"])
    assert mean.meta["EchotrainOutOfRange"] == far["EchotrainOutOfRange"]


def test_a_calibration_that_holds_scales_the_intervals_and_is_promised(scans, folder):
    save_calibration(record("dds-20x4", ["prior"]), folder / "prior")
    data = numbers(4)
    (width,) = estimated(scans, samples(scans, data), outputs=["interval_width"])
    np.testing.assert_allclose(width.data, 2 * 2.5 * pooled(np.std(np.abs(data), axis=0, ddof=1)), rtol=1e-4)
    said = {name: width.meta[f"EchotrainInterval{name}"] for name in ("s", "Scale", "Risk", "Delta")}
    assert said == {"s": "deviation", "Scale": "2.5", "Risk": "0.1", "Delta": "0.05"}
    assert width.meta["EchotrainCalibration"].startswith("calibrated: with a confidence of 0.95, at most 0.1")


@pytest.mark.parametrize(
    ("start", "promise"),
    [("ann", "calibrated: with"), ("bob", "not calibrated: ann was calibrated with, and is no member; bob was not")],
)
def test_a_calibration_of_samples_holds_for_the_prior_with_the_model_that_they_start_from(
    scans, folder, start, promise
):
    save_calibration(record("dds-20x4", ["prior", "ann"]), folder / "prior")
    both = {"EchotrainModel": ("prior@1", f"{start}@1"), "EchotrainModelHash": (HASHES["prior"], HASHES[start])}
    (width,) = estimated(scans, samples(scans, numbers(4), meta=both), outputs=["interval_width"])
    assert width.meta["EchotrainCalibration"].startswith(promise)
    assert width.meta["EchotrainModel"] == ("prior@1", f"{start}@1")


def test_a_prior_that_started_from_a_model_is_a_member_by_its_own_name(scans):
    both = {"EchotrainModel": ("prior@1", "ann@1"), "EchotrainModelHash": (HASHES["prior"], HASHES["ann"])}
    data = numbers(2)
    (mean,) = estimated(
        scans, (image(scans, data[0], "diffusion", both), member(scans, "bob", data[1])),
        members=["prior", "bob"], outputs=["mean"],
    )  # fmt: skip
    np.testing.assert_allclose(mean.data, np.abs(data.mean(axis=0)), rtol=1e-5)


def test_the_calibration_of_members_lies_beside_the_first_by_name(scans, folder):
    save_calibration(record("ann+bob", ["ann", "bob"]), folder / "ann")
    members = [member(scans, name, one) for name, one in zip(("bob", "ann"), numbers(2), strict=True)]
    (width,) = estimated(scans, members, members=["bob", "ann"], outputs=["interval_width"])
    assert width.meta["EchotrainIntervalScale"] == "2.5"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_classical_method_is_a_member_beside_a_network(scans, folder, order):
    save_calibration(record("ann+cs-tv", ["ann"], settings={"cs-tv": TV}), folder / "ann")
    data = numbers(2)
    both = [member(scans, "ann", data[0]), classical(scans, data[1])]
    mean, width = estimated(
        scans, [both[n] for n in order], members=["ann", "cs-tv"], outputs=["mean", "interval_width"]
    )
    np.testing.assert_allclose(mean.data, np.abs(data.mean(axis=0)), rtol=1e-5)
    np.testing.assert_allclose(
        width.data, np.maximum(2 * 2.5 * pooled(np.std(np.abs(data), axis=0, ddof=1)), 5), rtol=1e-3
    )
    assert width.meta["EchotrainCalibration"].startswith("calibrated: ")
    assert mean.method == "ensemble(ann, cs-tv)+mean"
    assert mean.meta["EchotrainModel"] == "ann@1"
    assert mean.meta["EchotrainMethodSettings"] == "cs-tv = { weight = 0.004, iterations = 60, inner_iterations = 3 }"


@pytest.mark.parametrize(
    ("calibrated", "settings", "reason"),
    [
        (TV, {"weight": 0.01}, "there is no calibration of ann+cs-tv-weight_0.01"),
        (TV, {"iterations": 30}, "there is no calibration of ann+cs-tv-iterations_30"),
        (TV, {"volume": True}, "there is no calibration of ann+cs-tv-volume_true"),
        ({**TV, "iterations": 50}, {}, "iterations = 60, inner_iterations = 3 }, calibrated with { weight = 0.004, it"),
        (None, {}, "cs-tv was not calibrated with"),
    ],
)
def test_other_settings_of_a_classical_member_than_those_calibrated_are_told(
    scans, folder, calibrated, settings, reason
):
    known = {} if calibrated is None else {"cs-tv": calibrated}
    save_calibration(record("ann+cs-tv", ["ann"], settings=known), folder / "ann")
    data = numbers(2)
    both = (member(scans, "ann", data[0]), classical(scans, data[1], settings))
    (width,) = estimated(scans, both, members=["ann", "cs-tv"], outputs=["interval_width"])
    assert width.meta["EchotrainCalibration"].startswith("not calibrated: ")
    assert reason in width.meta["EchotrainCalibration"]


def test_classical_members_alone_are_an_ensemble_that_no_calibration_is_kept_for(scans):
    data = numbers(2)
    sense = replace(image(scans, data[0], "sense"), meta={"EchotrainMethodSettings": "sense = { iterations = 30 }"})
    (width,) = estimated(
        scans, (sense, classical(scans, data[1])), members=["sense", "cs-tv"], outputs=["interval_width"]
    )
    assert width.meta["EchotrainCalibration"].startswith("not calibrated: there is no calibration of cs-tv+sense")
    assert np.isfinite(width.data).all()


def test_an_image_that_only_has_the_name_of_a_classical_member_passes(scans):
    gridded = image(scans, numbers(1)[0], "sense")
    assert estimated(scans, [gridded], members=["ann", "sense"]) == [gridded]


def test_quantiles_that_were_calibrated_are_what_intervals_are_made_of(scans, folder):
    save_calibration(record("dds-20x21", ["prior"], construction="quantiles"), folder / "prior")
    data = numbers(21)
    (width,) = estimated(scans, samples(scans, data), outputs=["interval_width"])
    prediction = np.abs(data.mean(axis=0))
    low, high = np.quantile(np.abs(data), (0.05, 0.95), axis=0)
    expected = 2.5 * (np.maximum(prediction - low, 1) + np.maximum(high - prediction, 1))
    np.testing.assert_allclose(width.data, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "meta", "reason"),
    [
        ({}, {"EchotrainAcceleration": "12.0"}, "acceleration 12, calibrated for 2 to 8"),
        ({}, {"EchotrainSnr": "1.5"}, "SNR 1.5, calibrated for 10 to 80"),
        ({}, {"EchotrainCoils": "16"}, "16 coils, calibrated for 2 to 4"),
        ({"scope": SCOPE.model_copy(update={"matrix": (16, 32)})}, {}, "matrix 8 x 8, calibrated for 16 to 32"),
        ({}, {"EchotrainModelHash": "d" * 16}, "prior is not the prior that was calibrated (SHA-256 dddddddddddddddd"),
        ({}, {"EchotrainSteps": "12 of 20, the deadline ended it"}, "12 of 20 steps"),
        ({"method": "dds-20x5"}, {}, "there is no calibration of dds-20x4"),
    ],
)
def test_a_calibration_that_does_not_hold_is_not_used_and_the_map_says_why(scans, folder, changes, meta, reason):
    save_calibration(record(**{"method": "dds-20x4", "weights": ["prior"], **changes}), folder / "prior")
    data = numbers(4)
    made = scans.run(
        scans.Scan(),
        [EstimateUncertainty(), ScaleImages(dtype="int16"), MakeImages()],
        *samples(scans, data, meta=meta),
    )
    width = made[2]
    np.testing.assert_allclose(width.pixels, 2 * 1.6449 * pooled(np.std(np.abs(data), axis=0, ddof=1)), rtol=1e-4)
    assert width.meta["EchotrainCalibration"].startswith("not calibrated: ")
    assert reason in width.meta["EchotrainCalibration"]
    assert reason in width.meta["ImageComments"]
    assert "calibrated" not in made[0].meta["ImageComments"]
    assert "EchotrainIntervalRisk" not in width.meta


def test_a_record_that_cannot_be_read_is_none(scans, folder):
    (folder / "prior" / "calibration-dds-20x4.toml").write_text("scale = 'wide'")
    (width,) = estimated(scans, samples(scans, numbers(4)), outputs=["interval_width"])
    assert width.meta["EchotrainCalibration"] == "not calibrated: there is no calibration of dds-20x4"


def test_a_perturbed_scan_is_an_ensemble_of_its_own_and_not_calibrated(scans, folder):
    save_calibration(record("dds-20x4", ["prior"]), folder / "prior")
    clean = samples(scans, numbers(4))
    other = samples(scans, numbers(4, seed=1), variant="noise")
    mixed = [one for pair in zip(clean, other, strict=True) for one in pair]
    known, perturbed = estimated(scans, mixed, outputs=["interval_width"])
    assert known.meta["EchotrainCalibration"].startswith("calibrated")
    assert perturbed.meta["EchotrainCalibration"] == "not calibrated: the scan was perturbed: noise"
    assert perturbed.variant == "noise"


def test_other_images_pass_unchanged_and_in_order(scans):
    reference = image(scans, np.ones((1, 1, 8, 8), np.float32), "sense", quantity="magnitude")
    later = replace(reference, key=Key(slice=1))
    out = estimated(scans, [reference, *samples(scans, numbers(2)), later], outputs=["mean"])
    assert out[0] is reference
    assert out[2] is later
    assert [one.key.slice for one in out] == [0, 0, 1]


def test_one_sample_has_no_map_and_that_is_said(scans):
    alone = samples(scans, numbers(1))
    single = replace(alone[0], sample=None, quantity="magnitude", data=np.abs(alone[0].data), key=Key(slice=1))
    warning, one, other = estimated(scans, [*alone, single])
    assert isinstance(warning, Text)
    assert "one image has no spread" in warning.text
    np.testing.assert_array_equal(one.data, np.abs(alone[0].data))
    assert (one.quantity, one.method) == ("magnitude", alone[0].method)
    assert other.data is single.data
    for passed in (one, other):
        (made,) = scans.run(scans.Scan(), MakeImages(), passed)
        assert "no uncertainty: one image has no spread" in made.meta["ImageComments"]


def test_an_ensemble_that_never_completes_is_given_in_the_end_and_says_so(scans, folder):
    save_calibration(record("dds-20x8", ["prior"]), folder / "prior")
    data = numbers(3)
    warning, mean, deviation, width, _ = estimated(scans, samples(scans, data, of=8))
    assert "slice 0 is incomplete: 3 of 8 images of the ensemble, without sample 4" in warning.text
    np.testing.assert_allclose(deviation.data, np.std(np.abs(data), axis=0, ddof=1), rtol=1e-4)
    assert mean.meta["EchotrainSamples"] == "3 of 8"
    assert "3 of 8 images of the ensemble" in width.meta["EchotrainCalibration"]
    (made,) = scans.run(scans.Scan(), MakeImages(), mean)
    assert "INCOMPLETE: 3 of 8 images" in made.meta["ImageComments"]


def test_a_single_image_of_an_ensemble_gives_no_map(scans):
    warning, mean, first = estimated(scans, [member(scans, "ann", numbers(1)[0])], members=["ann", "bob"])
    assert "1 of 2 images of the ensemble, without bob" in warning.text
    np.testing.assert_allclose(mean.data, first.data, rtol=1e-6)


def test_few_images_wait_whatever_fails_to_come(scans):
    gadget = EstimateUncertainty(members=("ann", "bob"), outputs=("mean",))
    gadget.start(scans.Scan().context())
    given = []
    for n in range(20):
        out = list(gadget.receive(member(scans, "ann", numbers(1)[0], key=Key(slice=n))))
        given += [one.key.slice for one in out if isinstance(one, Reconstruction)]
        assert len(gadget._waiting) <= 4
    assert given == list(range(16))


def test_an_image_that_comes_anew_begins_a_new_ensemble(scans):
    one, two = (member(scans, "ann", data) for data in numbers(2))
    bob = member(scans, "bob", numbers(1)[0])
    _, before, after = estimated(scans, [one, two, bob], members=["ann", "bob"], outputs=["mean"])
    assert [before.meta["EchotrainSamples"], after.meta["EchotrainSamples"]] == ["1 of 2", "2 of 2"]


def test_members_must_be_complex(scans):
    magnitude = member(scans, "ann", np.ones((1, 1, 8, 8), np.float32), quantity="magnitude")
    with pytest.raises(ConfigurationError, match=r"member ann gives magnitude images.*magnitude = false"):
        estimated(scans, [magnitude], members=["ann", "bob"])


def test_one_sample_of_a_prior_may_be_a_member_and_several_may_not(scans):
    data = numbers(2)
    (drawn,) = samples(scans, data[:1])
    both = [member(scans, "ann", data[1]), replace(drawn, sample=None)]
    (mean,) = estimated(scans, both, members=["ann", "prior"], outputs=["mean"])
    np.testing.assert_allclose(mean.data, np.abs(data.mean(axis=0)), rtol=1e-5)
    with pytest.raises(ConfigurationError, match="member prior gives 2 samples, expected one image of each member"):
        estimated(scans, samples(scans, data), members=["ann", "prior"])


@pytest.mark.parametrize("members", [("ann",), ("ann", "ann")])
def test_members_that_are_no_ensemble_are_refused(members):
    with pytest.raises(ConfigurationError, match="expected two or more that differ"):
        EstimateUncertainty(members=members)


def test_unknown_members_are_refused_by_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"no model is named 'anne'; did you mean 'ann'\?.*sense, cs-tv, cs-w"):
        EstimateUncertainty(members=("anne", "bob"))
    with pytest.raises(ConfigurationError, match=r"got the member 'ann@1', expected 'ann'"):
        EstimateUncertainty(members=("ann@1", "bob"))


def test_images_that_do_not_fit_each_other_are_refused(scans):
    odd = samples(scans, [numbers(1)[0], np.ones((1, 1, 4, 8), np.complex64)])
    with pytest.raises(DataError, match="slice 0: sample 2 of diffusion"):
        estimated(scans, odd)


def test_values_that_are_not_finite_are_refused(scans):
    data = numbers(2)
    data[1, 0, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match=r"slice 0: sample 2 of .* holds values that are not finite"):
        estimated(scans, samples(scans, data))
