from dataclasses import replace

import numpy as np
import pytest

from echotrain.engine.errors import Cancelled, ChainError, ConfigurationError, DataError
from echotrain.engine.records import CalibratedKSpace, KSpace
from echotrain.engine.registry import Registry
from echotrain.gadgets._measurements import measurements_of
from echotrain.gadgets._structure import structure_in
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.make_images import MakeImages
from echotrain.gadgets.perturb_worst_case import PerturbWorstCase
from echotrain.gadgets.reconstruct_fourier import reconstruction_grid
from echotrain.gadgets.reconstruct_sense import ReconstructSense
from echotrain.models.classical.cg_sense import CGSense
from echotrain.models.fourier import centred_fft, resized
from echotrain.models.model_store import shared_store
from echotrain.models.perturbation.specification import RandomControl, WorstCase, parse

PLAIN = {"matrix": (12, 16, 1), "recon": (12, 16, 1), "fov": (200, 200, 5), "coils": 4}
LINES = [0, 3, 6, 7, 8, 9, 12, 15]
FAST = {"surrogate": "cg-sense", "iterations": 2, "device": "cpu"}


def calibrated(scans, scan, *blocks):
    """K-space of a random image seen through random maps, where lines were acquired."""
    (kspace,) = [m for m in scans.run(scan, Accumulate(), *blocks) if isinstance(m, KSpace)]
    rng = np.random.default_rng(0)
    grid = reconstruction_grid(kspace.encoding)
    maps, image = (rng.standard_normal((*s, *grid, 2)) @ (1, 1j) for s in ((scan.coils,), ()))
    maps /= np.linalg.norm(maps, axis=0)
    full = resized(centred_fft(maps * image, (1, 2, 3)), kspace.data.shape[1:], (1, 2, 3)).astype(np.complex64)
    changes = {"data": full * kspace.sampled[..., None]}
    if kspace.calibration is not None:
        changes["calibration"] = full * kspace.calibration_sampled[..., None]
    for array in (*changes.values(), maps := maps.astype(np.complex64)):
        array.flags.writeable = False
    return CalibratedKSpace(replace(kspace, **changes), maps, "known", ("maps",))


def plain(scans, **fields):
    scan = scans.Scan(**PLAIN)
    return scan, calibrated(scans, scan, scan.readouts(LINES, **fields))


def perturb(scan, record, context=None, **fields):
    gadget = PerturbWorstCase(**{**FAST, **fields})
    gadget.start(scan.context(**(context or {})))
    return list(gadget.receive(record))


def delta_of(record, copy):
    return measurements_of(copy).kspace - measurements_of(record).kspace


def told(record):
    return parse(record.kspace.meta["EchotrainPerturbation"])


def test_clean_scan_worst_case_and_control_leave_side_by_side(scans):
    scan, record = plain(scans)
    clean, worst, control = perturb(scan, record, keep_clean=True, control="also", seed=5)
    assert clean is record
    assert worst.kspace.variant == "worst_case(cg-sense, eps=0.01)"
    assert control.kspace.variant == "random_control(epsilon=0.01)"
    assert told(worst) == WorstCase(model="cg-sense", epsilon=0.01, iterations=2, seed=5)
    assert told(control) == RandomControl(epsilon=0.01, seed=5)
    for copy in (worst, control):
        assert copy.sensitivities is record.sensitivities
        assert copy.kspace.key == record.kspace.key
        assert copy.history[0] == "maps"
        assert copy.history[-1] == f"perturb_worst_case: {copy.kspace.variant}, seed 5"
        assert copy.kspace.history == (*record.kspace.history, copy.history[-1])
        np.testing.assert_allclose(
            delta_of(record, copy).norm(), 0.01 * measurements_of(record).kspace.norm(), rtol=1e-4
        )
    gains = [
        float((CGSense()(measurements_of(copy)) - CGSense()(measurements_of(record))).norm())
        for copy in (worst, control)
    ]
    assert gains[0] > 1.3 * gains[1]
    image = CGSense()(measurements_of(record)).norm()
    np.testing.assert_allclose(float(worst.kspace.meta["EchotrainPerturbationGain"]), gains[0] / image, rtol=1e-3)


def test_images_of_both_are_told_apart_by_their_variant(scans):
    scan, record = plain(scans)
    gadgets = [PerturbWorstCase(**FAST, keep_clean=True), ReconstructSense(device="cpu"), MakeImages()]
    clean, worst = scans.run(scan, gadgets, record)
    assert clean.meta["EchotrainVariant"] == "acquired"
    assert "EchotrainPerturbation" not in clean.meta
    assert worst.meta["EchotrainVariant"] == "worst_case(cg-sense, eps=0.01)"
    assert parse(worst.meta["EchotrainPerturbation"]).seed == scan.context().seed


@pytest.mark.parametrize(
    ("geometry", "readout"),
    [
        (PLAIN, {}),
        ({**PLAIN, "matrix": (11, 15, 1), "recon": (11, 15, 1)}, {}),
        ({**PLAIN, "recon": (16, 20, 1), "recon_fov": (200, 200, 5)}, {}),  # a finer image: k-space is zero-padded
        ({**PLAIN, "recon": (8, 10, 1), "recon_fov": (200, 200, 5)}, {}),  # a coarser one: it is cropped
        ({**PLAIN, "fov": (400, 200, 5), "recon": (6, 16, 1)}, {}),
        (PLAIN, {"samples": 8, "center_sample": 2}),
    ],
    ids=["plain", "odd", "finer", "coarser", "oversampled", "asymmetric echo"],
)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_what_is_added_on_the_encoded_grid_is_what_the_reconstruction_sees(scans, geometry, readout, norm):
    scan = scans.Scan(**geometry)
    record = calibrated(scans, scan, scan.readouts([n for n in LINES if n < scan.matrix[1]], **readout))
    worst, control = perturb(scan, record, control="also", norm=norm, epsilon=0.1)
    seen = measurements_of(record)
    for copy in (worst, control):
        delta = delta_of(record, copy)
        assert not delta[~seen.mask.expand(delta.shape)].any()
        np.testing.assert_allclose(delta.norm(), 0.1 * seen.kspace.norm(), rtol=2e-2 if norm == "linf" else 1e-4)
        changed = copy.kspace.data != record.kspace.data
        assert not changed[:, ~record.kspace.sampled].any()
        assert not np.delete(changed, np.r_[: changed.shape[-1]][record.kspace.sampled_columns], axis=-1).any()


@pytest.mark.parametrize("mode", ["embedded", "separate"])
def test_calibration_lines_of_the_image_are_perturbed_like_it_and_others_not(scans, mode):
    scan = scans.Scan(**PLAIN, acceleration=(2, 1), calibration_mode=mode)
    both = scan.readouts([8], flags=scans.bit("IS_PARALLEL_CALIBRATION_AND_IMAGING"))
    own = scan.readouts([7, 9], flags=scans.bit("IS_PARALLEL_CALIBRATION"), seed=1)
    record = calibrated(scans, scan, both, own, scan.readouts([0, 2, 4, 6, 10, 12, 14], seed=2))
    (copy,) = perturb(scan, record, epsilon=0.1)
    changed = (copy.kspace.calibration != record.kspace.calibration).any(axis=(0, 1, 3)).nonzero()[0].tolist()
    assert changed == ([7, 8, 9] if mode == "embedded" else [])
    np.testing.assert_allclose(delta_of(record, copy).norm(), 0.1 * measurements_of(record).kspace.norm(), rtol=1e-4)
    if mode == "embedded":
        np.testing.assert_array_equal(copy.kspace.calibration[:, 0, 8], copy.kspace.data[:, 0, 8])


@pytest.mark.parametrize("surrogate", ["cg-sense", "unet-r8"])
def test_volumes_are_attacked_whole_or_slice_by_slice(scans, surrogate):
    scan = scans.Scan(matrix=(16, 16, 3), recon=(16, 16, 3), fov=(200, 200, 15), recon_fov=(200, 200, 15), coils=4)
    record = calibrated(scans, scan, scan.readouts([(z, y) for z in range(3) for y in LINES]))
    worst, control = perturb(scan, record, surrogate=surrogate, control="also", region=(2, 2, 9, 9))
    for copy in (worst, control):
        delta = delta_of(record, copy)
        assert delta.shape == (1, 4, 3, 16, 16)
        assert not delta[~measurements_of(record).mask.expand(delta.shape)].any()
        np.testing.assert_allclose(delta.norm(), 0.01 * measurements_of(record).kspace.norm(), rtol=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"control": "only"},
        {"norm": "linf", "region": (2, 3, 9, 10)},
        {"method": "adam", "surrogate": "unet-r8"},
        {"surrogate": "brain-edm", "steps": 2, "samples": 1, "iterations": 1},
    ],
    ids=["control", "region", "adam", "prior"],
)
def test_the_metadata_make_the_same_perturbation_again_to_the_bit(scans, options):
    scan, record = plain(scans)
    (first,) = perturb(scan, record, **options, context={"seed": 11})
    text = first.kspace.meta["EchotrainPerturbation"]
    again = PerturbWorstCase(from_metadata=text, device="cpu")
    again.start(scan.context(seed=99))
    (second,) = again.receive(record)
    np.testing.assert_array_equal(second.kspace.data, first.kspace.data)
    assert second.kspace.meta["EchotrainPerturbation"] == text
    assert second.kspace.variant == first.kspace.variant


def test_images_of_a_scan_get_perturbations_of_their_own_whatever_came_before(scans):
    scan, record = plain(scans)
    _, other = plain(scans, slice=3)
    gadget = PerturbWorstCase(**FAST, control="only")
    gadget.start(scan.context())
    (a,), (b,), (a_again,) = (gadget.receive(r) for r in (record, other, record))
    assert not np.array_equal(a.kspace.data, b.kspace.data)
    np.testing.assert_array_equal(a.kspace.data, a_again.kspace.data)


def test_no_budget_gives_a_copy_that_is_the_scan_to_the_bit(scans):
    scan, record = plain(scans)
    worst, control = perturb(scan, record, epsilon=0, control="also")
    for copy in (worst, control):
        assert copy.kspace.data.tobytes() == record.kspace.data.tobytes()
        assert copy.kspace.variant != "acquired"


def test_copies_of_earlier_gadgets_are_perturbed_too_unless_only_what_was_acquired_is_to_be(scans):
    scan, record = plain(scans)
    (once,) = perturb(scan, record, control="only")
    (twice,) = perturb(scan, once)
    assert twice.kspace.variant == "random_control(epsilon=0.01)+worst_case(cg-sense, eps=0.01)"
    assert [parse(text).kind for text in twice.kspace.meta["EchotrainPerturbation"]] == ["random_control", "worst_case"]
    (passed,) = perturb(scan, once, only_acquired=True)
    assert passed is once


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"epsilon": -0.1}, "greater than or equal to 0"),
        ({"epsilon": 1.1}, "less than or equal to 1"),
        ({"iterations": 0}, "greater than or equal to 1"),
        ({"surrogate": "admn-net"}, "did you mean 'admm-net'.*without a model: cg-sense, zero-filled"),
        ({"runtime": "onnx"}, "runtime"),
        ({"region": [4, 4, 4, 9]}, "expected first row, first column"),
        ({"structure": {"diameter": [20], "contrast": 1}, "universal": True}, "both structure and universal"),
        ({"structure": {"diameter": [20], "contrast": 1}, "region": [0, 0, 4, 4]}, "both structure and region"),
        (
            {"from_metadata": '{"kind":"spikes","share":0.1,"size":1}'},
            "'spikes', expected worst_case or random_control",
        ),
        ({"from_metadata": "worst"}, "Invalid JSON"),
        (
            {"from_metadata": '{"kind":"worst_case","model":"unet-r8","model_hash":"00","epsilon":0.1,"iterations":1}'},
            "made with unet-r8 of hash 00, here it is",
        ),
    ],
)
def test_a_chain_with_a_wrong_attack_is_not_built(options, text):
    with pytest.raises((ChainError, ConfigurationError), match=rf"(?s)perturb_worst_case.*{text}"):
        Registry().make("perturb_worst_case", options)


def test_a_name_that_stands_for_a_model_is_told_as_the_models_own():
    gadget = PerturbWorstCase(surrogate="default-supervised")
    (wanted,) = gadget._wanted
    card = shared_store().card("default-supervised")
    assert (wanted.model, wanted.model_hash) == (card.name, card.sha256[:16])


def test_a_scan_without_a_sampled_line_is_refused(scans):
    scan, record = plain(scans)
    kspace = replace(record.kspace, sampled=np.zeros_like(record.kspace.sampled), data=record.kspace.data * 0)
    for options in ({}, {"control": "only"}):
        with pytest.raises(DataError, match="slice 0: perturb_worst_case: there is no sampled line"):
            perturb(scan, replace(record, kspace=kspace), **options)


def test_a_region_beyond_the_image_is_refused(scans):
    scan, record = plain(scans)
    with pytest.raises(DataError, match=r"region \[0, 0, 17, 4\] leaves the image of 16 x 12 pixels"):
        perturb(scan, record, region=(0, 0, 17, 4))


def test_a_volume_that_the_surrogate_cannot_take_is_refused(scans):
    scan = scans.Scan(matrix=(16, 16, 4), recon=(16, 16, 4), fov=(200, 200, 20), recon_fov=(200, 200, 20), coils=4)
    record = calibrated(scans, scan, scan.readouts([(z, y) for z in (0, 2, 3) for y in LINES]))
    with pytest.raises(DataError, match="3 of 4 partitions"):
        perturb(scan, record, surrogate="unet-r8")


def test_a_session_that_ends_ends_the_search(scans):
    scan, record = plain(scans)
    with pytest.raises(Cancelled):
        perturb(scan, record, context={"cancelled": lambda: True})


@pytest.mark.parametrize("slices", [1, 4])
def test_an_attack_aimed_at_a_structure_makes_the_image_show_it(scans, slices):
    fov = (200, 200, 5 * slices)
    scan = scans.Scan(matrix=(12, 16, slices), recon=(12, 16, slices), fov=fov, recon_fov=fov, coils=4)
    lines = LINES if slices == 1 else [(z, y) for z in range(slices) for y in LINES]
    record = calibrated(scans, scan, scan.readouts(lines))
    structure = {"diameter": [60], "contrast": 0.5, "position": [20, -30]}
    options = {"epsilon": 0.3, "seed": 2}
    (aimed,) = perturb(scan, record, structure=structure, **{**options, "iterations": 30})
    (worst,) = perturb(scan, record, **options)
    made, where = structure_in(record, told(aimed).structure, seed=2, device="cpu", gadget="test")
    before = CGSense()(measurements_of(record)).numpy().reshape(made.image.shape)

    def missing(copy):
        change = CGSense()(measurements_of(copy)).numpy().reshape(made.image.shape) - before
        return np.linalg.norm(change - made.image) / np.linalg.norm(made.image)

    assert missing(aimed) < 0.5 < missing(worst)
    assert aimed.kspace.meta["EchotrainStructure"] == where
    assert float(aimed.kspace.meta["EchotrainPerturbationReached"]) == pytest.approx(1 - missing(aimed), abs=0.01)
    (again,) = perturb(scan, record, from_metadata=aimed.kspace.meta["EchotrainPerturbation"])
    assert delta_of(record, again).numpy().tobytes() == delta_of(record, aimed).numpy().tobytes()


def slices_of(scans, *lines):
    scan = scans.Scan(**PLAIN)
    records = [calibrated(scans, scan, scan.readouts(rows)) for rows in lines]
    keys = [records[0].kspace.key._replace(slice=n) for n in range(len(records))]
    # the same scan at other scales: what is universal goes by the norm of each
    return scan, [
        replace(r, kspace=replace(r.kspace, key=key, data=r.kspace.data * (n + 1), calibration=None))
        for n, (r, key) in enumerate(zip(records, keys, strict=True))
    ]


def test_a_universal_perturbation_is_one_pattern_for_all_images_of_the_scan(scans):
    scan, records = slices_of(scans, LINES, LINES, LINES)
    gadget = PerturbWorstCase(**FAST, universal=True, keep_clean=True, control="also")
    gadget.start(scan.context())
    at_once = [made for record in records for made in gadget.receive(record)]
    assert [made.kspace.variant for made in at_once] == ["acquired", "random_control(epsilon=0.01)"] * 3
    copies = list(gadget.finish())
    assert [copy.kspace.key.slice for copy in copies] == [0, 1, 2]
    patterns = [
        delta_of(record, copy) / measurements_of(record).kspace.norm()
        for record, copy in zip(records, copies, strict=True)
    ]
    assert float(patterns[0].norm()) == pytest.approx(0.01, rel=1e-4)
    for pattern in patterns[1:]:
        np.testing.assert_allclose(pattern, patterns[0], atol=1e-6 * float(patterns[0].abs().max()) + 1e-8)
    assert all("EchotrainPerturbationGain" in copy.kspace.meta for copy in copies)
    assert list(gadget.finish()) == []


def test_images_that_were_not_sampled_alike_have_no_universal_perturbation(scans):
    scan, records = slices_of(scans, LINES, [*LINES[:-1], 14])
    gadget = PerturbWorstCase(**FAST, universal=True)
    gadget.start(scan.context())
    assert [made for record in records for made in gadget.receive(record)] == []
    with pytest.raises(DataError, match="2 images with one perturbation: the slices were not sampled alike"):
        list(gadget.finish())


@pytest.mark.parametrize(
    ("options", "variant"),
    [
        ({}, "worst_case(unet-r8, eps=0.01)"),
        ({"norm": "linf", "method": "adam"}, "worst_case(unet-r8, eps=0.01, linf, adam)"),
        ({"region": (1, 2, 3, 4)}, "worst_case(unet-r8, eps=0.01, region=1-2-3-4)"),
        (
            {"structure": {"diameter": [6], "contrast": 0.3}},
            "worst_case(unet-r8, eps=0.01, structure(diameter=[6], contrast=0.3))",
        ),
        ({"universal": True}, "worst_case(unet-r8, eps=0.01, universal)"),
    ],
)
def test_attacks_that_differ_have_names_that_differ(options, variant):
    (wanted,) = PerturbWorstCase(surrogate="unet-r8", **options)._wanted
    assert wanted.label == variant
