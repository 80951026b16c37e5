from dataclasses import replace

import numpy as np
import pytest

from echotrain.engine.errors import Cancelled, ChainError, ConfigurationError, DataError
from echotrain.engine.records import CalibratedKSpace, KSpace, Reconstruction
from echotrain.engine.registry import Registry
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.estimate_sensitivity import EstimateSensitivity
from echotrain.gadgets.make_images import MakeImages
from echotrain.gadgets.reconstruct_fourier import reconstruction_grid
from echotrain.gadgets.reconstruct_sense import ReconstructSense
from echotrain.models.fourier import centred_fft

PLAIN = {"matrix": (12, 16, 1), "recon": (12, 16, 1), "fov": (200, 200, 5), "coils": 4}
LINES = [0, 3, 6, 7, 8, 9, 12, 15]


def calibrated(scans, scan, lines):
    """K-space of a random image seen through random maps."""
    (kspace,) = [m for m in scans.run(scan, Accumulate(), scan.readouts(lines)) if isinstance(m, KSpace)]
    rng = np.random.default_rng(0)
    grid = reconstruction_grid(kspace.encoding)
    maps, image = (rng.standard_normal((*s, *grid, 2)) @ (1, 1j) for s in ((scan.coils,), ()))
    maps /= np.linalg.norm(maps, axis=0)
    data = np.asarray(centred_fft(maps * image, (1, 2, 3)) * kspace.sampled[:, :, None], np.complex64)
    return CalibratedKSpace(replace(kspace, data=data), maps.astype(np.complex64), "known", ("maps",))


def estimate(scan, record, context=None, **fields):
    gadget = EstimateSensitivity(**{"model": "cg-sense", "device": "cpu", **fields})
    gadget.start(scan.context(**(context or {})))
    return list(gadget.receive(record))


def test_the_figures_go_into_every_image_that_is_made_afterwards_and_the_map_is_an_image_of_its_own(scans):
    scan = scans.Scan(**PLAIN)
    record = calibrated(scans, scan, LINES)
    gadgets = [EstimateSensitivity(model="cg-sense", device="cpu"), ReconstructSense(device="cpu"), MakeImages()]
    images = scans.run(scan, gadgets, record)
    assert sorted(image.meta["EchotrainQuantity"] for image in images) == ["magnitude", "sensitivity"]
    for image in images:
        meta = image.meta
        assert float(meta["EchotrainSensitivity"]) > 1.2
        assert float(meta["EchotrainSensitivityWorst"]) == pytest.approx(
            float(meta["EchotrainSensitivity"]) * float(meta["EchotrainSensitivityRandom"]), rel=1e-4
        )
        assert meta["EchotrainSensitivityModel"] == "cg-sense"
        assert meta["EchotrainSensitivitySearch"] == "3 steps at 0.01 of the data"


def test_k_space_stays_as_it_is_but_for_its_labels(scans):
    scan = scans.Scan(**PLAIN)
    record = calibrated(scans, scan, LINES)
    image, kspace = estimate(scan, record)
    assert kspace.kspace.data is record.kspace.data
    assert kspace.sensitivities is record.sensitivities
    assert kspace.kspace.variant == "acquired"
    assert kspace.worst_change is None  # of no model, so no flag looks along it
    assert isinstance(image, Reconstruction)
    assert (image.quantity, image.method, image.data.dtype) == ("sensitivity", "cg-sense", np.float32)
    assert image.data.shape == (1, 1, 16, 12)
    assert image.data.min() >= 0
    assert [m for m in estimate(scan, record, map=False) if isinstance(m, Reconstruction)] == []


def test_one_coil_sampled_in_full_has_no_direction_to_fear(scans):
    scan = scans.Scan(**{**PLAIN, "coils": 1})
    record = calibrated(scans, scan, range(16))
    image, kspace = estimate(scan, record, model="zero-filled")
    assert float(kspace.kspace.meta["EchotrainSensitivity"]) == pytest.approx(1, rel=1e-3)
    assert np.square(image.data).mean() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("model", ["cg-sense", "unet-r8"])
def test_volumes_and_networks_have_one_figure_and_a_map_of_every_slice(scans, model):
    scan = scans.Scan(matrix=(16, 16, 3), recon=(16, 16, 3), fov=(200, 200, 15), recon_fov=(200, 200, 15), coils=4)
    record = calibrated(scans, scan, [(z, y) for z in range(3) for y in LINES])
    image, kspace = estimate(scan, record, model=model, iterations=1)
    assert float(kspace.kspace.meta["EchotrainSensitivity"]) > 1
    assert image.data.shape == (1, 3, 16, 16)
    if model == "unet-r8":
        assert kspace.worst_change.shape == (3, 4, 16, 16)
        assert (np.linalg.norm(kspace.worst_change.reshape(3, -1), axis=1) > 0).all()


def test_the_figure_is_the_same_in_every_run_and_passes_copies_if_told_to(scans):
    scan = scans.Scan(**PLAIN)
    record = calibrated(scans, scan, LINES)
    one, two = (estimate(scan, record, map=False)[0].kspace.meta["EchotrainSensitivity"] for _ in range(2))
    assert one == two
    copy = replace(record, kspace=replace(record.kspace, variant="spikes(share=0.1)"))
    (passed,) = estimate(scan, copy, only_acquired=True)
    assert passed is copy
    _, seen = estimate(scan, copy)
    assert seen.kspace.variant == copy.kspace.variant


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"model": "admn-net"}, "did you mean 'admm-net'.*without a model"),
        ({"epsilon": 0}, "greater than 0"),
        ({"iterations": 0}, "greater than or equal to 1"),
    ],
)
def test_a_chain_with_a_wrong_search_is_not_built(options, text):
    with pytest.raises((ChainError, ConfigurationError), match=rf"(?s)estimate_sensitivity.*{text}"):
        Registry().make("estimate_sensitivity", options)


def test_a_scan_without_a_sampled_line_is_refused(scans):
    scan = scans.Scan(**PLAIN)
    record = calibrated(scans, scan, LINES)
    kspace = replace(record.kspace, sampled=np.zeros_like(record.kspace.sampled), data=record.kspace.data * 0)
    with pytest.raises(DataError, match="slice 0: estimate_sensitivity: there is no sampled line"):
        estimate(scan, replace(record, kspace=kspace))


def test_a_session_that_ends_ends_the_search(scans):
    scan = scans.Scan(**PLAIN)
    with pytest.raises(Cancelled):
        estimate(scan, calibrated(scans, scan, LINES), context={"cancelled": lambda: True})
