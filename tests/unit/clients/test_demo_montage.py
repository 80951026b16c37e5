import numpy as np
import pytest
from PIL import Image

from echotrain.clients import demo_montage as module
from echotrain.clients.demo_series import Comparison, Run, Series

PLACES = [(n, 0, 0, 0, 0, 0) for n in range(2)]


@pytest.fixture
def drawn(monkeypatch):
    """What the montage is asked to draw."""
    calls = []

    def montage(tiles, path, **options):
        calls.append({"tiles": tiles, "path": path, **options})

    monkeypatch.setattr(module, "montage", montage)
    return calls


def level(value):
    return {place: np.full((8, 8), float(value)) for place in PLACES}


@pytest.fixture
def ensemble():
    return [
        Series("sense", "magnitude", level(2)),
        Series("diffusion(x)+mean", "magnitude", level(4)),
        Series("diffusion(x)", "standard_deviation", level(0.5)),
        Series("diffusion(x)", "interval_width", level(1.5)),
        Series("diffusion(x)+sample", "magnitude", level(5)),
    ]


@pytest.fixture
def best(ensemble):
    return Comparison(series=ensemble[1], truth=level(3), errors=level(1), nrmse=0.3)


def test_truth_images_uncertainty_and_true_error_stand_side_by_side(ensemble, best, drawn, tmp_path):
    module.demo_montage(tmp_path / "m.png", [Run("", ensemble, best)])
    (call,) = drawn
    names = ["phantom", "sense", "diffusion mean", "diffusion sample", "standard deviation", "true error"]
    assert call["columns"] == 6
    assert call["labels"] == [f"slice {n}: {name}" if name == "phantom" else name for n in (0, 1) for name in names]
    assert [tile[0, 0] for tile in call["tiles"]] == [3, 2, 4, 5, 0.5, 1] * 2
    assert call["windows"] == ([(0, 4)] * 4 + [(0, 1)] * 2) * 2


def test_without_a_phantom_uncertainty_has_its_own_window(ensemble, drawn, tmp_path):
    module.demo_montage(tmp_path / "m.png", [Run("", ensemble, None)])
    (call,) = drawn
    assert call["labels"][:4] == ["slice 0: sense", "diffusion mean", "diffusion sample", "standard deviation"]
    assert call["windows"][3] == (0, 0.5)


def test_widths_of_intervals_are_not_drawn_as_if_they_were_errors(ensemble, best, drawn, tmp_path):
    del ensemble[2]
    module.demo_montage(tmp_path / "m.png", [Run("", ensemble, best)])
    (call,) = drawn
    assert call["labels"][4:6] == ["interval width", "true error"]
    assert call["windows"][4:6] == [(0, 1.5), (0, 1)]


def test_maps_alone_are_drawn_too(ensemble, drawn, tmp_path):
    module.demo_montage(tmp_path / "m.png", [Run("", [ensemble[2]], None)])
    (call,) = drawn
    assert call["labels"] == ["slice 0: standard deviation", "slice 1: standard deviation"]
    assert call["columns"] is None


def test_an_image_that_did_not_come_leaves_its_place_empty(ensemble, drawn, tmp_path):
    del ensemble[0].images[PLACES[1]]
    module.demo_montage(tmp_path / "m.png", [Run("", ensemble[:2], None)])
    (call,) = drawn
    assert call["labels"] == ["slice 0: sense", "diffusion mean", "slice 1: no sense", "diffusion mean"]
    assert call["tiles"][2].tolist() == [[0]]


def test_rows_end_where_the_montage_would_be_too_long(drawn, tmp_path):
    many = {(n, 0, 0, 0, 0, 0): np.ones((8, 8)) for n in range(100)}
    module.demo_montage(
        tmp_path / "m.png", [Run("", [Series("a", "magnitude", many), Series("b", "magnitude", many)], None)]
    )
    assert len(drawn[0]["tiles"]) == module.MOST_TILES


def test_scans_stand_below_each_other_with_their_flags_and_what_was_withheld_is_missing(
    ensemble, best, drawn, tmp_path
):
    flags = Series("supervised(y)", "overlay", {PLACES[0]: np.full((16, 16), 255.0)})
    runs = [Run("clean", [*ensemble, flags], best), Run("worst case", ensemble[:1], None)]
    module.demo_montage(tmp_path / "m.png", runs)
    (call,) = drawn
    names = ["phantom", "sense", "diffusion mean", "standard deviation", "true error", "flags"]
    assert call["columns"] == 6
    assert call["labels"][0] == "clean 0: phantom"
    assert call["labels"][1:6] == names[1:]  # beside flags no sample
    assert call["labels"][12:14] == ["worst case 0: no phantom", "sense"]
    assert all(label.startswith("no ") for label in call["labels"][14:18])
    assert call["windows"][5] == (0, 255)
    assert call["windows"][13] == (0, 4)  # of the first scan


def test_a_single_image_becomes_a_file(ensemble, tmp_path):
    del ensemble[0].images[PLACES[1]]
    module.demo_montage(tmp_path / "m.png", [Run("", ensemble[:1], None)])
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.width == 264
