from dataclasses import replace

import numpy as np
import pytest

from echotrain.clients.simulator import scan_protocol, simulate
from echotrain.engine.chain import Chain
from echotrain.engine.errors import DataError
from echotrain.engine.gadget import Context
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.records import CoilImages, TrajectoryKSpace
from echotrain.gadgets.accumulate_trajectories import AccumulateTrajectories
from echotrain.gadgets.noise_adjust import NoiseAdjust
from echotrain.gadgets.reconstruct_nonuniform import ReconstructNonuniform
from echotrain.models.fourier import centred_fft, centred_ifft, resized

KINDS = [{"trajectory": "radial"}, {"trajectory": "spiral", "interleaves": 8}]


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
    images = reconstructed(message, iterations=40).data
    assert np.linalg.norm(images - volume) < 0.02 * np.linalg.norm(volume)
