from dataclasses import replace

import numpy as np
import pytest

from echotrain.engine.errors import ChainError, DataError
from echotrain.engine.messages import Image, Readouts
from echotrain.engine.noise_store import NoiseStore
from echotrain.engine.records import KSpace
from echotrain.engine.registry import Registry
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.add_noise import AddNoise
from echotrain.gadgets.combine_coils import CombineCoils
from echotrain.gadgets.make_images import MakeImages
from echotrain.gadgets.noise_adjust import NoiseAdjust
from echotrain.gadgets.reconstruct_fourier import ReconstructFourier
from echotrain.models.perturbation.specification import Noise, parse

NOISE = 1 << 18
MIX = np.array([[1, 0, 0], [0.5, 2, 0], [0, 0.3j, 0.5]], np.complex64)
"""Coils from independent noise of unit variance."""


def coloured(block):
    return replace(block, samples=np.matmul(MIX, block.samples / np.float32(np.sqrt(2))))


def measured(scan, seed=3, **fields):
    """Noise readouts: 64 thousand samples of each coil."""
    return coloured(scan.readouts(range(16), samples=4096, flags=NOISE, seed=seed, **fields))


def covariance(samples):
    flat = np.moveaxis(samples, 1, 0).reshape(samples.shape[1], -1)
    return flat @ flat.conj().T / flat.shape[1]


def quiet(scan, **fields):
    """Lines, long ones, of zeros."""
    block = scan.readouts(range(8), samples=4096, **fields)
    return replace(block, samples=np.zeros_like(block.samples))


def added(scans, scan, spec, *messages, **context):
    *_, out = scans.run(scan, AddNoise(perturbation=spec), *messages, **context)
    return out.samples


EXPECTED = MIX @ MIX.conj().T


def test_multiples_of_the_scans_own_noise_are_those_of_its_noise_readouts(scans):
    scan = scans.Scan()
    like = Noise(level=3, unit="scan_noise", coils="scan")
    np.testing.assert_allclose(
        covariance(added(scans, scan, like, measured(scan), quiet(scan))), 9 * EXPECTED, atol=0.9
    )
    alone = covariance(added(scans, scan, Noise(level=3, unit="scan_noise"), measured(scan), quiet(scan)))
    np.testing.assert_allclose(alone, 9 * np.diag(np.diagonal(EXPECTED)), atol=0.9)


def test_dwell_time_and_bandwidth_scale_the_scans_noise(scans):
    scan = scans.Scan(extra={"relative_receiver_noise_bandwidth": 0.79})
    spec = Noise(level=1, unit="scan_noise", coils="scan")
    noise = measured(scan, sample_time_us=5)
    out = added(scans, scan, spec, noise, quiet(scan, sample_time_us=10))
    np.testing.assert_allclose(covariance(out), EXPECTED / (2 * 0.79), atol=0.15)


def test_noise_of_an_earlier_measurement_serves(scans):
    store = NoiseStore()
    first = scans.Scan(extra={"measurement_id": "n1"})
    scans.run(first, NoiseAdjust(), measured(first), noise_store=store)
    second = scans.Scan(extra={"measurement_dependencies": {"noise": "n1"}})
    spec = Noise(level=1, unit="scan_noise", coils="scan")
    out = added(scans, second, spec, quiet(second), noise_store=store)
    np.testing.assert_allclose(covariance(out), EXPECTED, atol=0.15)


def test_before_or_after_prewhitening_the_same_level_is_the_same_noise_power(scans):
    """White noise of the scan's covariance, whitened, has a variance of 2, as prewhitened samples have."""
    scan = scans.Scan()
    spec = Noise(level=2, unit="scan_noise", coils="scan")
    for chain in ([AddNoise(perturbation=spec), NoiseAdjust()], [NoiseAdjust(), AddNoise(perturbation=spec)]):
        *_, out = scans.run(scan, chain, measured(scan), quiet(scan))
        np.testing.assert_allclose(covariance(out.samples), 4 * 2 * np.eye(3), atol=0.4)


def test_without_any_noise_measurement_the_scans_noise_is_refused(scans):
    scan = scans.Scan()
    with pytest.raises(DataError, match="noise of the scan is not known; noise readouts before"):
        added(scans, scan, Noise(level=1, unit="scan_noise"), scan.all_lines())


def test_prewhitening_goes_by_the_noise_that_was_measured(scans):
    scan = scans.Scan()
    gadgets = [AddNoise(perturbation=Noise(level=1)), NoiseAdjust()]
    *_, out = scans.run(scan, gadgets, measured(scan), quiet(scan))
    np.testing.assert_allclose(
        covariance(out.samples), 2 * np.linalg.inv(MIX) @ np.linalg.inv(MIX).conj().T, rtol=0.1, atol=0.2
    )


def bits(blocks):
    return b"".join(b.samples.tobytes() for b in blocks if isinstance(b, Readouts))


@pytest.mark.parametrize(
    "spec",
    [
        Noise(level=1),
        Noise(level=1, unit="scan_noise", coils="scan"),
        Noise(level=1, spectrum="ar1", distribution="laplace"),
        Noise(level=1, readouts=("imaging", "noise")),
    ],
    ids=lambda n: n.label,
)
def test_noise_is_bit_identical_however_the_stream_is_cut(scans, spec):
    scan = scans.Scan()
    noise = coloured(scan.readouts(range(8), flags=NOISE, seed=2))
    stream = scans.joined(noise, scan.all_lines(), scan.all_lines(slice=1, seed=1))
    whole = scans.run(scan, AddNoise(perturbation=spec), stream, seed=4)
    for edges in (range(24), (1, 9, 15), (5,)):
        assert bits(scans.run(scan, AddNoise(perturbation=spec), *scans.cut(stream, edges), seed=4)) == bits(whole)
    assert bits(scans.run(scan, AddNoise(perturbation=spec), stream, seed=5)) != bits(whole)


def test_a_level_of_zero_passes_the_very_samples(scans):
    scan = scans.Scan()
    lines = scan.all_lines()
    (out,) = scans.run(scan, AddNoise(perturbation=Noise(level=0)), lines)
    assert out.samples is lines.samples


def kspace_of(scans, scan, spec, *messages, **options):
    out = scans.run(scan, [Accumulate(), AddNoise(perturbation=spec, **options)], *messages)
    return [m for m in out if isinstance(m, KSpace)]


def test_an_snr_is_that_of_an_images_sampled_k_space(scans):
    scan = scans.Scan(matrix=(64, 32, 1), acceleration=(2, 1), coils=4)
    lines = scan.readouts(range(0, 32, 2), seed=1)
    (clean, noisy) = kspace_of(scans, scan, Noise(level=10, unit="snr"), lines, keep_clean=True)
    assert (clean.variant, noisy.variant) == ("acquired", "noise(level=10, unit=snr, seed=0)")
    difference = noisy.data - clean.data
    assert not difference[:, ~clean.sampled].any()
    count = difference[:, clean.sampled].size
    assert np.linalg.norm(clean.data) / np.linalg.norm(difference) == pytest.approx(10, rel=5 / np.sqrt(2 * count))


def test_an_snr_of_readouts_cut_anyhow_is_the_same_bit_by_bit(scans):
    scan, spec = scans.Scan(), Noise(level=10, unit="snr", seed=1)
    lines = scan.all_lines()
    (whole,) = kspace_of(scans, scan, spec, lines)
    (parts,) = kspace_of(scans, scan, spec, *scans.cut(lines, [1, 5]))
    assert parts.data.tobytes() == whole.data.tobytes()


def test_a_line_that_is_in_image_and_calibration_gets_one_noise(scans):
    both = 1 << 20
    scan = scans.Scan(acceleration=(2, 1), calibration_mode="embedded")
    lines = scan.readouts([0, 2, 3, 4, 6], flags=[0, both, 1 << 19, both, 0])
    (noisy,) = kspace_of(scans, scan, Noise(level=5, unit="snr"), lines)
    (clean,) = kspace_of(scans, scan, Noise(level=5, unit="snr", readouts=("noise",)), lines)
    shared = noisy.sampled & noisy.calibration_sampled
    assert shared.sum() == 2
    np.testing.assert_array_equal(noisy.calibration[:, shared], noisy.data[:, shared])
    assert (noisy.data[:, noisy.sampled] != clean.data[:, noisy.sampled]).all()
    assert (noisy.calibration[:, noisy.calibration_sampled] != clean.calibration[:, noisy.calibration_sampled]).all()


@pytest.mark.parametrize("spec", [Noise(level=0.5), Noise(level=10, unit="snr")], ids=lambda n: n.unit)
def test_the_metadata_of_an_image_alone_add_the_same_noise_again(scans, spec):
    scan = scans.Scan(recon=(16, 8, 1), recon_fov=(400, 200, 5))

    def image(gadget, seed):
        steps = [gadget, Accumulate()] if spec.unit == "absolute" else [Accumulate(), gadget]
        chain = [*steps, ReconstructFourier(), CombineCoils(), MakeImages()]
        (made,) = [m for m in scans.run(scan, chain, scan.all_lines(), seed=seed) if isinstance(m, Image)]
        return made

    first = image(AddNoise(perturbation=spec), 3)
    second = image(AddNoise(from_metadata=first.meta["EchotrainPerturbation"]), 4)
    assert second.pixels.tobytes() == first.pixels.tobytes()
    assert parse(first.meta["EchotrainPerturbation"]).seed == 3
    assert first.meta["EchotrainVariant"] == spec.model_copy(update={"seed": 3}).label
    assert image(AddNoise(perturbation=spec), 4).pixels.tobytes() != first.pixels.tobytes()


def test_it_takes_readouts_or_k_space_by_its_unit_and_chains_are_checked_for_it():
    registry = Registry()
    assert registry.make("add_noise", {"perturbation": {"level": 1}}).types().accepts == (Readouts,)
    snr = registry.make("add_noise", {"perturbation": {"level": 1, "unit": "snr"}})
    assert snr.types().accepts == (KSpace,)
    for wrong in ({"level": -1}, {"level": 1, "unit": "sd"}, {"level": 0, "unit": "snr"}, {}):
        with pytest.raises(ChainError, match="add_noise"):
            registry.make("add_noise", {"perturbation": wrong})
