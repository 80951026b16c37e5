import h5py
import numpy as np
import pytest

from echotrain.clients.studies.subgroups import Subgroup, spread
from echotrain.clients.studies.weights import losses
from echotrain.models.classical.zero_filled import ZeroFilled
from echotrain.models.evaluation.metrics import scores
from echotrain.models.evaluation.simulated_cases import simulated_cases


@pytest.fixture
def heads():
    """Two slices (2, 64, 64) uint8 of something like a head."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    return np.array([np.where(x**2 + (y / r) ** 2 < 0.6, 120 + 60 * np.cos(9 * x * r), 0) for r in (0.9, 1)], np.uint8)


def groups(heads):
    rows = [[("acceleration", "R = 2"), ("source and contrast", kind)] for kind in ("T1", "T2")]
    yield Subgroup(rows, "validation, R = 2", simulated_cases(heads, 2.0))


def test_a_row_is_the_mean_over_the_slices_that_count_in_it(heads):
    (found,) = losses({"zero-filled": ZeroFilled()}, groups(heads), [], "first")
    value = {(f.table, f.row): f.value for f in found}
    cases = simulated_cases(heads, 2.0)
    one, two = (float(scores(c.measurements.zero_filled(), c.reference).psnr) for c in cases)
    assert value["PSNR by acceleration, dB", "R = 2"] == pytest.approx((one + two) / 2)
    assert value["PSNR by source and contrast, dB", "T2"] == pytest.approx(two)
    assert sum(table.startswith("error by region") for table, _ in value) == 5
    assert sum(table.startswith("error by spatial frequency") for table, _ in value) == 5
    assert {f.label for f in found} == {"first"}


def test_what_is_known_is_not_measured_again(heads):
    methods = {"zero-filled": ZeroFilled()}
    (found,) = losses(methods, groups(heads), [], "first")

    def untouchable(_):
        raise AssertionError

    (again,) = losses({"zero-filled": untouchable}, groups(heads), found, "first")
    assert again == []
    (other,) = losses({**methods, "twice": lambda m: 2 * m.zero_filled()}, groups(heads), found, "first")
    assert {f.column for f in other} == {"twice"}
    assert [f.value for f in other] == pytest.approx([f.value for f in found], rel=1e-4)  # a scale is no error


def test_images_are_spread_evenly_within_a_source(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    with h5py.File(tmp_path / "images" / "few.h5", "w") as file:
        file["image"] = np.arange(8, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
        file["source"] = [b"a"] * 4 + [b"b"] * 4
        file["contrast"] = [b"T1", b"T2"] * 4
    monkeypatch.setenv("ECHOTRAIN_DATA", str(tmp_path))
    assert spread("images/few.h5", 2).images[:, 0, 0].tolist() == [2, 6]
    chosen = spread("images/few.h5", 2, "b")
    assert chosen.images[:, 0, 0].tolist() == [5, 7]
    assert chosen.kinds == ["b, T2", "b, T2"]
