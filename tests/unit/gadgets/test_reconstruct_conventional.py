import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from echotrain.engine.gadget import Context
from echotrain.engine.messages import NoiseState, Text
from echotrain.engine.mrd_header import Encoding, ScanHeader, Space
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.records import CoilImages, Key, KSpace, Reconstruction
from echotrain.gadgets.reconstruct_conventional import ReconstructConventional
from echotrain.gadgets.reconstruct_fourier import ReconstructFourier
from echotrain.gadgets.reconstruct_grappa import ReconstructGrappa
from echotrain.models.fourier import centred_fft
from echotrain.models.simulation.sampling_masks import centre_block, equispaced, random_lines

N = 48
REGULAR = equispaced(N, 2)[None]
CENTRE = centre_block(N, 16)[None]
IRREGULAR = random_lines((N,), 2, np.random.default_rng(0), always=centre_block(N, 12))[None]


def coil_images(coils=4):
    """A disc seen by coils around it: (coils, z, y, x)."""
    y, x = np.mgrid[-1:1:48j, -1:1:40j]
    disc = (y**2 + 1.2 * x**2 < 0.6) * (1 + 0.5 * np.cos(9 * x) * np.cos(7 * y))
    angles = 2 * np.pi * np.arange(coils) / max(coils, 2)
    maps = [np.exp(-((y - np.sin(a)) ** 2) - (x - np.cos(a)) ** 2 + 0.7j * (x * np.sin(a) + y)) for a in angles]
    return (np.stack(maps) * disc)[:, None].astype(np.complex64)


def kspace_of(lines, *, coils=4, acceleration=2, mode="embedded", calibration=None, **fields):
    full = centred_fft(coil_images(coils), (1, 2, 3))
    space = Space((40, N, 1), (40.0, float(N), 1.0))
    encoding = Encoding(encoded=space, recon=space, acceleration=(acceleration, 1), calibration_mode=mode)
    given = {"key": Key(), "data": full * lines[..., None], "sampled": lines, "encoding": encoding}
    if calibration is not None:
        given |= {"calibration": full * calibration[..., None], "calibration_sampled": calibration}
    return KSpace(**{**given, "header": np.zeros((), ACQUISITION_DTYPE), **fields})


def received(*messages):
    gadget = ReconstructConventional()
    gadget.start(Context(header=ScanHeader(encodings=tuple(message.encoding for message in messages))))
    return [made for message in messages for made in gadget.receive(message)]


def choice(message):
    kspace = message.kspace if isinstance(message, CoilImages) else message
    assert kspace.meta["EchotrainReconstruction"] in "".join(message.history)
    return kspace.meta["EchotrainReconstruction"]


def magnitude(message):
    if isinstance(message, Reconstruction):
        return message.data[0]
    return np.sqrt((np.abs(message.data) ** 2).sum(axis=0))


def error(message):
    expected = np.sqrt((np.abs(coil_images()) ** 2).sum(axis=0))
    return np.linalg.norm(magnitude(message) - expected) / np.linalg.norm(expected)


def test_without_acceleration_it_is_the_fourier_transform_to_the_bit():
    kspace = kspace_of(np.ones((1, N), bool), acceleration=1, mode=None)
    (images,) = received(kspace)
    (expected,) = ReconstructFourier().receive(kspace)
    np.testing.assert_array_equal(images.data, expected.data)
    assert images.method == "fourier"
    assert choice(images) == "Fourier transform: the header gives no acceleration"


def test_dropped_lines_of_a_scan_without_acceleration_stay_zero():
    lines = np.ones((1, N), bool)
    lines[0, 3::7] = False
    kspace = kspace_of(lines, acceleration=1, mode=None, complete=False)
    (images,) = received(kspace)
    (expected,) = ReconstructFourier().receive(kspace)
    np.testing.assert_array_equal(images.data, expected.data)


def test_regular_undersampling_with_calibration_lines_is_for_grappa():
    kspace = kspace_of(REGULAR, calibration=CENTRE)
    (images,) = received(kspace)
    grappa = ReconstructGrappa()
    grappa.start(Context(header=ScanHeader(encodings=(kspace.encoding,))))
    (expected,) = grappa.receive(kspace)
    np.testing.assert_array_equal(images.data, expected.data)
    assert images.method == "grappa"
    assert choice(images) == "GRAPPA: regular sampling, R = 2, 4 coils"
    assert error(images) < 0.03


@pytest.mark.parametrize("acceleration", [1, 2])
def test_irregular_undersampling_is_for_sense(acceleration):
    kspace = kspace_of(IRREGULAR, acceleration=acceleration, mode="other", noise=NoiseState(prewhitened=True))
    (image,) = received(kspace)
    assert isinstance(image, Reconstruction)
    assert (image.method, image.unit) == ("sense", "k-space noise")
    assert choice(image) == "SENSE: irregular sampling, 4 coils"
    (zero_filled,) = ReconstructFourier().receive(kspace)
    assert error(image) < 0.5 * error(zero_filled)
    assert error(image) < 0.06
    assert image.history[-1].startswith("reconstruct_sense: 30 conjugate gradient steps")


def test_regular_undersampling_with_too_few_calibration_lines_for_grappa_is_for_sense():
    kspace = kspace_of(equispaced(N, 3)[None], acceleration=3, calibration=centre_block(N, 7)[None])
    (image,) = received(kspace)
    assert image.method == "sense"
    assert choice(image).startswith("SENSE: regular sampling, R = 3, where GRAPPA cannot: the calibration lines cover")
    assert error(image) < 0.1


@pytest.mark.parametrize(
    ("kspace", "reason"),
    [
        (kspace_of(REGULAR, coils=1, calibration=CENTRE), "1 coil cannot be unfolded"),
        (kspace_of(REGULAR, mode=None), "regular sampling, R = 2, where GRAPPA cannot: .*; SENSE cannot: "),
        (kspace_of(random_lines((N,), 3, np.random.default_rng(2))[None]), "irregular sampling; SENSE cannot: the ful"),
    ],
    ids=["one coil", "no calibration lines", "irregular, no calibration lines"],
)
def test_what_cannot_be_unfolded_is_zero_filled_and_says_why_once(kspace, reason):
    warning, first, second = received(kspace, kspace)
    assert isinstance(warning, Text)
    assert warning.text.startswith("WRN reconstruct_conventional: zero-filled, images stay aliased: ")
    (expected,) = ReconstructFourier().receive(kspace)
    for images in (first, second):
        np.testing.assert_array_equal(images.data, expected.data)
        assert images.method == "fourier"
        assert choice(images) == "zero-filled: " + warning.text.split("aliased: ")[1]
    assert re.search(reason, warning.text)


def test_an_empty_scan_gives_an_empty_image_and_a_warning():
    kspace = kspace_of(REGULAR | CENTRE)
    zeros = replace(kspace, data=0 * kspace.data)
    warning, images = received(zeros)
    assert "no signal" in warning.text
    assert not images.data.any()


def test_accelerated_scans_without_a_gap_need_no_unfolding():
    kspace = kspace_of(np.arange(N)[None] >= 9)
    (images,) = received(kspace)
    assert choice(images) == "Fourier transform: no line between others is missing"


@pytest.mark.parametrize(("acceleration", "imported"), [(1, "False"), (2, "True")])
def test_torch_is_loaded_at_the_start_of_accelerated_scans_only(acceleration, imported):
    program = (
        "import sys\n"
        "from echotrain.engine.gadget import Context\n"
        "from echotrain.engine.mrd_header import Encoding, ScanHeader, Space\n"
        "from echotrain.gadgets.reconstruct_conventional import ReconstructConventional\n"
        "space = Space((8, 8, 1), (1.0, 1.0, 1.0))\n"
        f"encoding = Encoding(encoded=space, recon=space, acceleration=({acceleration}, 1))\n"
        "ReconstructConventional().start(Context(header=ScanHeader(encodings=(encoding,))))\n"
        "print('torch' in sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == imported
