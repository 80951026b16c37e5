import datetime as dt
import subprocess
import sys
import threading

import pytest
import torch

from echotrain.models.defaults import DEFAULT_PRIOR, DEFAULT_SUPERVISED
from echotrain.models.measurements import Measurements
from echotrain.models.model_card import ModelCard, ModelError
from echotrain.models.model_store import SHIPPED, WEIGHTS, ModelStore, write_model
from echotrain.models.networks.build import build
from echotrain.models.trained_range import TrainedRange

OPTIONS = {"channels": 2, "pools": 1}


def card(name="tiny", **changes):
    values = {
        "name": name,
        "version": 2,
        "kind": "supervised",
        "architecture": "unet",
        "options": OPTIONS,
        "trained": TrainedRange(acceleration=(2, 8), matrix=(8, 16), coils=(1, 4), snr=(5, 50), masks=("uniform",)),
        "data": (),
        "recipe": name,
        "seed": 0,
        "hardware": "none",
        "steps": 0,
        "wall_seconds": 0.0,
        "cpu_seconds": 0.0,
        "torch": "2.13",
        "date": dt.date(2026, 1, 1),
        "limits": "untrained",
    }
    return ModelCard(**{**values, **changes})


def random_state(seed=0):
    generator = torch.Generator().manual_seed(seed)
    state = build("unet", OPTIONS).state_dict()
    return {name: torch.randn(value.shape, generator=generator) / 8 for name, value in state.items()}


@pytest.fixture
def store(tmp_path):
    write_model(tmp_path / "tiny", random_state(), card())
    return ModelStore(tmp_path)


def measurements():
    generator = torch.Generator().manual_seed(1)
    kspace = torch.randn(1, 2, 8, 12, dtype=torch.complex64, generator=generator)
    maps = torch.full((1, 2, 8, 12), 0.5**0.5, dtype=torch.complex64)
    return Measurements(kspace, torch.ones(1, 1, 8, 1, dtype=torch.bool), maps)


def test_a_model_computes_what_the_network_that_was_written_computes(store):
    network = build("unet", OPTIONS)
    network.load_state_dict(random_state())
    model = store.load("tiny", device="cpu")
    with torch.no_grad():
        torch.testing.assert_close(model(measurements()), network(measurements()), rtol=0, atol=0)
    assert not any(parameter.requires_grad for parameter in store.network("tiny").parameters())


def test_the_card_gets_checksum_and_size_of_the_weights(store, tmp_path):
    written = store.card("tiny")
    assert written.parameters == sum(value.numel() for value in random_state().values())
    assert written.sha256 in (tmp_path / "tiny" / "README.md").read_text()


def test_samples_of_former_weights_are_not_shown_as_those_of_the_new_ones(store, tmp_path):
    picture, readme = tmp_path / "tiny" / "samples.png", tmp_path / "tiny" / "README.md"
    picture.touch()
    write_model(tmp_path / "tiny", random_state(), store.card("tiny"))
    assert not picture.exists()
    assert picture.name not in readme.read_text()


def test_half_precision_halves_the_file_and_computes_in_single(store, tmp_path):
    write_model(tmp_path / "half", random_state(), card("half"), storage="float16")
    state = store.network("half").state_dict()
    for name, value in random_state().items():
        torch.testing.assert_close(state[name], value.half().float(), rtol=0, atol=0)
    sizes = [(tmp_path / name / WEIGHTS).stat().st_size for name in ("tiny", "half")]
    assert sizes[0] - sizes[1] == pytest.approx(2 * store.card("tiny").parameters, abs=64)  # the headers differ


def test_models_are_named_with_or_without_their_version(store):
    assert store.names() == ("tiny",)
    assert store.card("tiny") == store.card("tiny@2")
    with pytest.raises(ModelError, match=r"got the model 'tiny@1', but here is tiny@2"):
        store.card("tiny@1")


def test_a_models_folder_is_found_by_name_alone(store, tmp_path):
    assert store.folder("tiny") == store.folder("tiny@2") == tmp_path / "tiny"
    with pytest.raises(ModelError, match="no model is named"):
        store.folder("../tiny")


def test_the_defaults_are_shipped_models_under_names_of_what_they_are_for():
    shipped = ModelStore(SHIPPED)
    for alias, name, kind in (
        ("default-supervised", DEFAULT_SUPERVISED, "supervised"),
        ("default-prior", DEFAULT_PRIOR, "prior"),
    ):
        assert shipped.card(alias).label == shipped.card(name).label
        assert shipped.card(alias).kind == kind


@pytest.mark.parametrize("name", ["tinny", "../tiny", "tiny/", "tiny\0", "tiny@", "tiny@02", "", ".", "/etc/passwd"])
def test_an_unknown_name_opens_nothing_and_lists_the_known_ones(store, name):
    with pytest.raises(ModelError, match=r"no model is named .* Known: tiny"):
        store.load(name)


def test_tampered_weights_are_refused_by_file_checksum_and_remedy(store, tmp_path):
    file = tmp_path / "tiny" / WEIGHTS
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        store.load("tiny")
    for part in (str(file), "its SHA-256 is", f"expected {store.card('tiny').sha256}", "echotrain train tiny"):
        assert part in str(caught.value)
    file.unlink()
    with pytest.raises(ModelError, match=r"weights of tiny@2 cannot be read: .*No such file"):
        store.load("tiny")


def test_a_card_in_another_models_folder_is_refused(store, tmp_path):
    (tmp_path / "tiny").rename(tmp_path / "other")
    with pytest.raises(ModelError, match="is of 'tiny', expected 'other'"):
        store.card("other")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"architecture": "os.system"}, "got the architecture 'os.system', known: unet"),
        ({"options": {"path": "x"}}, "got the option 'path', known: channels"),
        ({"options": {"channels": 3, "pools": 1}}, "size mismatch"),
    ],
)
def test_only_weights_of_a_known_network_that_fits_are_taken(tmp_path, changes, text):
    with pytest.raises(ModelError, match=text):
        write_model(tmp_path / "tiny", random_state(), card(**changes))
    assert not (tmp_path / "tiny").exists()


def test_weights_that_are_not_finite_are_never_published(tmp_path):
    state = random_state()
    state["unet.last.weight"] *= 1e6  # finite in float32
    with pytest.raises(ModelError, match=r"infinite or NaN in float16: unet\.last\.weight"):
        write_model(tmp_path / "tiny", state, card(), storage="float16")


def test_a_model_is_loaded_once_for_all_threads(store):
    found = []
    threads = [threading.Thread(target=lambda: found.append(store.load("tiny", device="cpu"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(model) for model in found}) == 1


def test_weights_that_were_replaced_are_loaded_anew(store, tmp_path):
    before = store.load("tiny", device="cpu")
    write_model(tmp_path / "tiny", random_state(seed=1), card(version=3))
    after = store.load("tiny", device="cpu")
    assert (before.card.version, after.card.version) == (2, 3)
    assert not torch.equal(before(measurements()), after(measurements()))


def test_an_unknown_device_is_refused_by_the_known_ones(store):
    with pytest.raises(ModelError, match="got the device 'tpu'; known here: auto, cpu"):
        store.load("tiny", device="tpu")


@pytest.mark.usefixtures("store")
def test_names_and_cards_need_no_torch(tmp_path):
    program = (
        "import sys; from pathlib import Path; from echotrain.models.model_store import ModelStore\n"
        "store = ModelStore(Path(sys.argv[1])); store.card(*store.names()); print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert out.stdout == "False\n"
