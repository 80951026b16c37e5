import numpy as np
import pytest

from echotrain.models.uncertainty.kept_rows import KeptRows


def squares(kept, count, name="squares"):
    return kept.table(name, range(count), lambda n: np.array([n, n**2], float))


def test_rows_are_computed_once(tmp_path):
    file = tmp_path / "rows.npz"
    np.testing.assert_array_equal(squares(KeptRows(file, "a"), 3), [[0, 0], [1, 1], [2, 4]])
    again = KeptRows(file, "a")
    assert len(again) == 3
    np.testing.assert_array_equal(
        again.table("squares", range(4), lambda n: np.array([n, -1.0]))[2:], [[2, 4], [3, -1]]
    )
    assert len(squares(again, 2, "others")) == 2
    assert len(KeptRows(file, "a")) == 6


def test_what_was_computed_before_a_failure_is_kept(tmp_path):
    def row(n):
        if n == 2:
            raise KeyboardInterrupt
        return np.array([float(n)])

    with pytest.raises(KeyboardInterrupt):
        KeptRows(tmp_path / "rows.npz", "a").table("numbers", range(5), row)
    assert len(KeptRows(tmp_path / "rows.npz", "a")) == 2


def test_rows_of_another_computation_are_not_taken_up(tmp_path):
    squares(KeptRows(tmp_path / "rows.npz", "a"), 3)
    assert len(KeptRows(tmp_path / "rows.npz", "b")) == 0


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_as_good_as_none(tmp_path, content):
    file = tmp_path / "rows.npz"
    file.write_bytes(content)
    assert len(KeptRows(file, "a")) == 0
    squares(KeptRows(file, "a"), 1)
    assert len(KeptRows(file, "a")) == 1


def test_a_file_with_pickled_objects_is_not_opened(tmp_path):
    np.savez(tmp_path / "rows.npz", key=np.array("a"), squares=np.array([object()]))
    assert len(KeptRows(tmp_path / "rows.npz", "a")) == 0


def test_a_finished_computation_leaves_no_file(tmp_path):
    kept = KeptRows(tmp_path / "rows.npz", "a")
    squares(kept, 2)
    kept.forget()
    assert not list(tmp_path.iterdir())
