import numpy as np
import pytest

from echotrain.engine.errors import ChainError, DataError
from echotrain.engine.gadget import Context
from echotrain.engine.records import CalibratedKSpace, Key, KSpace
from echotrain.engine.registry import Registry
from echotrain.gadgets.insert_structure import InsertStructure
from echotrain.models.fourier import centred_fft, centred_ifft
from echotrain.models.perturbation.specification import Structure, parse

N = 48
STRUCTURE = Structure(diameter=(40,), contrast=0.5, edge=4)


@pytest.fixture
def calibrated(scans):
    """A disc of 80 mm radius seen by three coils, in a field of view of 200 mm, every second line sampled."""

    def make(mode=None, **fields):
        fov = (200, 200, 5)
        scan = scans.Scan(matrix=(N, N, 1), recon=(N, N, 1), fov=fov, recon_fov=fov, calibration_mode=mode)
        x = (np.arange(N) - N // 2) * 200 / N
        disc = (x[:, None] ** 2 + x**2 < 80**2) * np.complex64(2j)
        maps = np.stack(
            [np.exp(-(((x[:, None] - a) / 150) ** 2) + 1j * x / b) for a, b in ((-60, 90), (0, 70), (60, 80))]
        )
        maps = (maps / np.linalg.norm(maps, axis=0))[:, None].astype(np.complex64)
        sampled = np.zeros((1, N), np.bool_)
        sampled[:, ::2] = True
        sampled[:, N // 2 - 6 : N // 2 + 6] = True
        data = centred_fft(maps * disc, (1, 2, 3)) * sampled[..., None]
        lines = scan.readouts([0])
        kspace = KSpace(
            key=Key(slice=3),
            data=data.astype(np.complex64),
            sampled=sampled,
            header=lines.headers[0],
            encoding=scan.header.encodings[0],
            **fields,
        )
        return scan, CalibratedKSpace(kspace, maps, "espirit")

    return make


def inserted(scan, message, seed=3, **options):
    gadget = InsertStructure(device="cpu", **options)
    gadget.start(Context(header=scan.header, seed=seed))
    return list(gadget.receive(message))


def test_every_coil_sees_the_structure_on_the_sampled_lines_alone(calibrated):
    scan, message = calibrated()
    spec = STRUCTURE.model_copy(update={"position": (20.0, -15.0)})
    (made,) = inserted(scan, message, perturbation=spec)
    added = made.kspace.data - message.kspace.data
    assert not added[:, ~message.kspace.sampled].any()
    x = (np.arange(N) - N // 2) * 200 / N
    distance = np.hypot(x - 20, (x + 15)[:, None])
    whole = 1j * np.clip(0.5 - (distance - 20) / 4, 0, 1)  # half of the disc's 2j
    expected = centred_fft(message.sensitivities * whole, (1, 2, 3)) * message.kspace.sampled[..., None]
    assert np.linalg.norm(added - expected) < 0.03 * np.linalg.norm(expected)
    assert made.kspace.variant == spec.model_copy(update={"seed": 3}).label
    assert made.kspace.meta["EchotrainStructure"].startswith("center 20.00, -15.00, 0.00 mm, amplitude")
    assert message.kspace.meta == {}


def test_clean_goes_beside_it_and_the_metadata_insert_the_same_again(calibrated):
    scan, message = calibrated()
    clean, made = inserted(scan, message, perturbation=STRUCTURE, keep_clean=True)
    assert clean is message
    text = made.kspace.meta["EchotrainPerturbation"]
    assert parse(text).seed == 3
    (again,) = inserted(scan, message, seed=4, from_metadata=text)
    assert again.kspace.data.tobytes() == made.kspace.data.tobytes()
    (other,) = inserted(scan, message, seed=4, perturbation=STRUCTURE)
    assert other.kspace.meta["EchotrainStructure"] != made.kspace.meta["EchotrainStructure"]


def test_calibration_lines_of_the_image_itself_see_it_and_others_do_not(calibrated):
    _, plain = calibrated()
    lines = np.zeros((1, N), np.bool_)
    lines[:, 20:28] = True
    calibration = plain.kspace.data * lines[..., None]
    for mode, changes in (("embedded", True), ("separate", False)):
        scan, message = calibrated(mode, calibration=calibration, calibration_sampled=lines)
        (made,) = inserted(scan, message, perturbation=STRUCTURE)
        added = made.kspace.calibration - calibration
        assert added.any() == changes
        assert not added[:, ~lines].any()


def test_no_contrast_changes_no_bit(calibrated):
    scan, message = calibrated()
    (made,) = inserted(scan, message, perturbation=Structure(diameter=(10,), contrast=0))
    assert made.kspace.data is message.kspace.data
    assert made.kspace.variant == "structure(diameter=[10], contrast=0, seed=3)"


def test_the_image_shows_it_where_it_was_put(calibrated):
    scan, message = calibrated()
    spec = STRUCTURE.model_copy(update={"position": (20.0, -15.0)})
    (made,) = inserted(scan, message, perturbation=spec)
    combined = np.abs((centred_ifft(made.kspace.data, (1, 2, 3)) * message.sensitivities.conj()).sum(axis=0))[0]
    before = np.abs((centred_ifft(message.kspace.data, (1, 2, 3)) * message.sensitivities.conj()).sum(axis=0))[0]
    y, x = np.unravel_index(np.argmax(combined - before), combined.shape)
    assert abs((x - N // 2) * 200 / N - 20) < 20
    assert abs((y - N // 2) * 200 / N + 15) < 20


def test_a_structure_that_finds_no_place_ends_the_session_with_the_reason(calibrated):
    scan, message = calibrated()
    with pytest.raises(DataError, match="slice 3: nowhere in the body"):
        inserted(scan, message, perturbation=Structure(diameter=(170,), contrast=1))


def test_a_chain_with_a_wrong_structure_is_not_built():
    for wrong in ({"diameter": [0], "contrast": 1}, {"diameter": [1, 2, 3], "contrast": 1}, {"contrast": 1}):
        with pytest.raises(ChainError, match="insert_structure"):
            Registry().make("insert_structure", {"perturbation": wrong})
