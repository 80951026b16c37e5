from dataclasses import replace

import numpy as np
import pytest

from echotrain.clients.simulator import scan_protocol, simulate
from echotrain.engine.chain import Chain
from echotrain.engine.errors import DataError
from echotrain.engine.gadget import Context
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.records import CoilImages, Reconstruction, TrajectoryKSpace
from echotrain.gadgets.accumulate_trajectories import AccumulateTrajectories
from echotrain.gadgets.noise_adjust import NoiseAdjust
from echotrain.gadgets.reconstruct_nonuniform import ReconstructNonuniform
from echotrain.models.fourier import centred_fft, centred_ifft, resized

KINDS = [{"trajectory": "radial"}, {"trajectory": "spiral", "interleaves": 8}]
UNDERSAMPLED = [
    {"trajectory": "radial", "spokes": 30},
    {"trajectory": "radial", "spokes": 30, "matrix": (48, 41)},
    {"trajectory": "spiral", "undersampling": 2.0},
]


def scanned(**fields):
    return simulate(
        scan_protocol({"matrix": (48, 48), "slices": 1, "coils": 3, "phantom": "shepp_logan", "snr": None, **fields})
    )


def kspace_of(scan, *before):
    gadgets = [*before, AccumulateTrajectories()]
    chain = Chain([(type(g).__name__, g) for g in gadgets], check=False)
    chain.start(Context(header=parse_header(scan.header.xml)))
    out = [made for message in scan.messages() for made in chain.feed(message)]
    (kspace,) = [m for m in [*out, *chain.finish()] if isinstance(m, TrajectoryKSpace)]
    return kspace


def reconstructed(kspace, **options):
    gadget = ReconstructNonuniform(device="cpu", **options)
    (images,) = gadget.receive(kspace)
    assert isinstance(images, CoilImages)
    return images


def unfolded(kspace, **options):
    gadget = ReconstructNonuniform(method="sense", device="cpu", **options)
    (image,) = gadget.receive(kspace)
    assert isinstance(image, Reconstruction)
    return image


def low(images, edge=0.4):
    """Without what lies at the rim of k-space, where the density of the samples has neighbours on one side only."""
    k = [(np.arange(n) - n // 2) / n for n in images.shape[-2:]]
    return centred_ifft(centred_fft(images, (-2, -1)) * (np.hypot(k[0][:, None], k[1]) < edge), (-2, -1))


@pytest.mark.parametrize("fields", [*KINDS, {"trajectory": "radial", "matrix": (48, 41)}])
def test_coil_images_are_those_of_the_truth_where_spokes_and_spirals_have_been(fields):
    scan = scanned(**fields)
    images = low(reconstructed(kspace_of(scan)).data[:, 0])
    truth = low(scan.truth.images[0, 0] * scan.truth.sensitivities[0])
    ny, nx = truth.shape[-2:]
    y, x = np.mgrid[:ny, :nx]
    inside = np.hypot((y - ny // 2) / ny, (x - nx // 2) / nx) < 0.45  # aliases begin at half, in the corners

    def error(found):
        return np.linalg.norm((found - truth)[:, inside]) / np.linalg.norm(truth[:, inside])

    assert error(images) < 0.04
    for shift in ((0, 1), (1, 0)):
        assert error(np.roll(images, shift, (1, 2))) > 5 * error(images)


@pytest.mark.parametrize("fields", KINDS)
def test_prewhitened_images_are_in_snr_units(fields):
    scan = scanned(**fields, noise_std=1.0, phase_strength=0, noise_readouts=64)
    noisy = kspace_of(scan, NoiseAdjust())
    alike = scanned(**fields, noise_std=1e-3, phase_strength=0, noise_readouts=64)  # the same deviates, all in scale
    noise = reconstructed(noisy).data - 1e-3 * reconstructed(kspace_of(alike, NoiseAdjust())).data
    inner = noise[:, 0, 12:-12, 12:-12] / (1 - 1e-3)
    assert inner.real.std() == pytest.approx(1, abs=0.06)
    assert inner.imag.std() == pytest.approx(1, abs=0.06)


def test_a_coarser_reconstruction_matrix_leaves_out_what_it_does_not_resolve():
    kspace = kspace_of(scanned(trajectory="radial"))
    space = replace(kspace.encoding.recon, matrix=(24, 24, 1))
    coarse = reconstructed(replace(kspace, encoding=replace(kspace.encoding, recon=space)))
    assert coarse.data.shape == (3, 1, 24, 24)
    assert "left out" in coarse.history[-1]
    fine = reconstructed(kspace).data[:, 0]
    expected = low(centred_ifft(resized(centred_fft(fine, (1, 2)), (24, 24), (1, 2)), (1, 2)))
    assert np.linalg.norm(low(coarse.data[:, 0]) - expected) < 0.05 * np.linalg.norm(expected)


def test_k_space_that_is_not_finite_is_refused():
    kspace = kspace_of(scanned(trajectory="radial", spokes=8))
    with pytest.raises(DataError, match="not finite"):
        reconstructed(replace(kspace, data=kspace.data * np.nan))


def test_a_volume_along_three_dimensions_is_transformed_as_one():
    """Points of a grid, so that the answer is the Fourier transform's."""
    kspace = kspace_of(scanned(trajectory="radial", spokes=8))
    rng = np.random.default_rng(0)
    volume = (rng.standard_normal((2, 6, 10, 8)) + 1j * rng.standard_normal((2, 6, 10, 8))).astype(np.complex64)
    axes = (1, 2, 3)
    samples = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(volume, axes), axes=axes, norm="ortho"), axes)
    kz, ky, kx = np.meshgrid(*((np.arange(n) - n // 2) / n for n in (6, 10, 8)), indexing="ij")
    space = replace(kspace.encoding.recon, matrix=(8, 10, 6), field_of_view=(8, 10, 6))
    message = replace(
        kspace,
        data=samples.reshape(2, 60, 8).astype(np.complex64),
        trajectory=np.stack([kx, ky, kz], axis=-1).reshape(60, 8, 3).astype(np.float32),
        encoding=replace(kspace.encoding, encoded=space, recon=space),
    )
    images = reconstructed(message, density_iterations=40).data
    assert np.linalg.norm(images - volume) < 0.02 * np.linalg.norm(volume)


@pytest.mark.parametrize("fields", UNDERSAMPLED)
def test_sense_unfolds_what_gridding_leaves_streaked(fields):
    scan = scanned(coils=8, **fields)
    kspace = kspace_of(scan)
    image, gridded = unfolded(kspace), reconstructed(kspace)
    ny, nx = scan.protocol.matrix[::-1]
    assert (image.data.shape, image.data.dtype) == ((1, 1, ny, nx), np.float32)
    truth = np.linalg.norm(low(scan.truth.images[0, 0] * scan.truth.sensitivities[0]), axis=0)
    y, x = np.mgrid[:ny, :nx]
    inside = np.hypot((y - ny // 2) / ny, (x - nx // 2) / nx) < 0.45

    def error(found):
        return np.linalg.norm((np.abs(found) - truth)[inside]) / np.linalg.norm(truth[inside])

    ours = error(low(unfolded(kspace, magnitude=False).data[0, 0]))
    assert ours < 0.04
    assert error(np.linalg.norm(low(gridded.data[:, 0]), axis=0)) > 2 * ours
    for shift in ((0, 1), (1, 0)):
        assert error(low(np.roll(image.data[0, 0], shift, (0, 1)).astype(np.complex64))) > 2 * ours


def test_sense_says_what_it_did():
    kspace = kspace_of(scanned(trajectory="radial", coils=4, noise_std=1.0, noise_readouts=64), NoiseAdjust())
    image = unfolded(kspace, iterations=5, regularisation=0.02)
    assert (image.method, image.quantity, image.unit) == ("sense", "magnitude", "k-space noise")
    assert image.meta["EchotrainSensitivities"].startswith("espirit from the gridded centre of k-space, 24 x 24")
    assert "5 conjugate gradient steps, lambda 0.02" in image.history[-1]
    complex_image = unfolded(kspace, iterations=5, regularisation=0.02, magnitude=False)
    assert (complex_image.quantity, complex_image.data.dtype) == ("complex", np.complex64)
    np.testing.assert_allclose(np.abs(complex_image.data), image.data, rtol=1e-6)


@pytest.mark.parametrize("method", ["gridding", "sense"])
def test_images_are_the_same_to_the_bit_however_the_stream_is_cut(method):
    scan = scanned(trajectory="radial", spokes=30, matrix=(32, 32), slices=2)

    def images(block):
        gadgets = [AccumulateTrajectories(), ReconstructNonuniform(method=method, device="cpu")]
        chain = Chain([(type(g).__name__, g) for g in gadgets], check=False)
        chain.start(Context(header=parse_header(scan.header.xml)))
        out = [made for message in scan.messages(block) for made in chain.feed(message)]
        return [m.data for m in [*out, *chain.finish()] if isinstance(m, CoilImages | Reconstruction)]

    whole = images(1000)
    assert len(whole) == 2
    for block in (1, 7):
        np.testing.assert_array_equal(images(block), whole)


def test_sense_sees_what_lies_outside_of_the_image_and_crops_it():
    """Half of the pixels along x: the phantom reaches beyond them, and must not fold."""
    kspace = kspace_of(scanned(trajectory="radial", spokes=40, coils=8))
    x, y, z = kspace.encoding.recon.field_of_view
    space = replace(kspace.encoding.recon, matrix=(24, 48, 1), field_of_view=(x / 2, y, z))
    part = unfolded(replace(kspace, encoding=replace(kspace.encoding, recon=space))).data
    np.testing.assert_array_equal(part, unfolded(kspace).data[..., 12:36])


def test_sense_of_a_coarser_matrix_is_the_low_resolution_image():
    kspace = kspace_of(scanned(trajectory="radial", spokes=40, coils=8))
    space = replace(kspace.encoding.recon, matrix=(32, 32, 1))
    coarse = unfolded(replace(kspace, encoding=replace(kspace.encoding, recon=space)), magnitude=False)
    assert "left out" in coarse.history[-1]
    fine = unfolded(kspace, magnitude=False).data[0, 0]
    expected = np.abs(low(centred_ifft(resized(centred_fft(fine, (0, 1)), (32, 32), (0, 1)), (0, 1))))
    found = np.abs(low(coarse.data[0, 0]))
    assert np.linalg.norm(found - expected) < 0.04 * np.linalg.norm(expected)


def test_sense_of_a_spiral_with_too_few_turns_in_the_centre_is_refused_and_says_what_to_do():
    kspace = kspace_of(scanned(trajectory="spiral", interleaves=4, undersampling=2.0, calibration=0))
    with pytest.raises(DataError, match=r"slice 0 has no maps: .* expected 90%.* set method = \"gridding\""):
        unfolded(kspace)


def test_sense_of_nothing_is_zero():
    kspace = kspace_of(scanned(trajectory="radial", spokes=40))
    assert not unfolded(replace(kspace, data=0 * kspace.data)).data.any()


def test_sense_of_one_coil_is_an_image_too():
    scan = scanned(trajectory="radial", coils=1)
    image, gridded = unfolded(kspace_of(scan)).data[0, 0], np.abs(reconstructed(kspace_of(scan)).data[0, 0])
    assert np.linalg.norm(image - gridded) < 0.15 * np.linalg.norm(gridded)


def test_sense_of_a_volume_along_three_dimensions_is_one_image():
    """Points of a grid, all of them in the middle and most of the rest, of a blob that two coils see."""
    kspace = kspace_of(scanned(trajectory="radial", spokes=8))
    shape, axes = (14, 16, 18), (1, 2, 3)
    z, y, x = np.meshgrid(*((np.arange(n) - n // 2) / n for n in shape), indexing="ij")
    blob = np.exp(-40 * (x**2 + y**2 + z**2))
    volume = (blob * np.stack([1 + x, (1 - x) * np.exp(1j * y)])).astype(np.complex64)
    acquired = np.maximum(np.maximum(abs(x), abs(y)), abs(z)) < 0.3
    acquired |= np.random.default_rng(0).random(shape) < 0.6
    acquired = np.flatnonzero(acquired)
    space = replace(kspace.encoding.recon, matrix=shape[::-1], field_of_view=shape[::-1])
    message = replace(
        kspace,
        data=centred_fft(volume, axes).reshape(2, -1)[:, acquired].reshape(2, len(acquired), 1),
        trajectory=np.stack([x, y, z], axis=-1).reshape(-1, 3)[acquired, None].astype(np.float32),
        encoding=replace(kspace.encoding, encoded=space, recon=space),
    )
    image = unfolded(message).data[0]
    truth = np.linalg.norm(volume, axis=0)
    body = truth > 0.1 * truth.max()
    assert image.shape == shape
    assert np.linalg.norm((image - truth)[body]) < 0.03 * np.linalg.norm(truth[body])
