"""What tests of commands share: a data folder with small images."""

import h5py
import numpy as np
import pytest


@pytest.fixture
def heads(tmp_path, monkeypatch):
    """Make a data folder with small images of the subjects that are calibrated on, and of another."""
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    (tmp_path / "images").mkdir()
    held_out = ("msl-04", "cheng-046", "cheng-047")
    for name, subjects in (("train", ("someone", *(held_out[n % 3] for n in range(26)))), ("val", ("other",) * 26)):
        radii = np.linspace(0.5, 0.7, len(subjects))
        with h5py.File(tmp_path / "images" / f"brains_{name}.h5", "w") as file:
            file["image"] = np.array([np.where(x**2 + y**2 < r, 100 + 50 * np.cos(9 * x), 0) for r in radii], np.uint8)
            file["subject"] = [subject.encode() for subject in subjects]
            file["source"] = [b"drawn"] * len(subjects)
    monkeypatch.setenv("ECHOTRAIN_DATA", str(tmp_path))
