"""What tests of study commands share: small images, and a folder of untrained models."""

import datetime as dt

import h5py
import numpy as np
import pytest
import torch

from echotrain.models.model_card import ModelCard
from echotrain.models.model_store import write_model
from echotrain.models.networks.build import build
from echotrain.models.trained_range import TrainedRange


@pytest.fixture
def small_heads(tmp_path, monkeypatch):
    """Make a data folder with small images."""
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    (tmp_path / "images").mkdir()
    with h5py.File(tmp_path / "images" / "brains_val.h5", "w") as file:
        discs = [np.where(x**2 + y**2 < r, 100 + 50 * np.cos(9 * x), 0) for r in (0.4, 0.5, 0.6, 0.7)]
        file["image"] = np.array(discs, np.uint8)
    monkeypatch.setenv("ECHOTRAIN_DATA", str(tmp_path))


@pytest.fixture
def small_models(tmp_path):
    """Return a folder with a prior and two networks."""
    torch.manual_seed(0)
    for name, kind, architecture, options in (
        ("tiny", "prior", "diffusion_prior", {"channels": [4], "blocks": 1, "embedding": 4}),
        ("one", "supervised", "unet", {"channels": 2, "pools": 1, "start": "sense"}),
        ("other", "supervised", "modl", {"unrolls": 1, "iterations": 3, "channels": 2, "pools": 1}),
    ):
        card = ModelCard(
            name=name,
            version=1,
            kind=kind,
            architecture=architecture,
            options=options,
            trained=TrainedRange(acceleration=(1, 8), matrix=(8, 64), coils=(1, 8), snr=(1, 100), masks=("uniform",)),
            data=(),
            recipe=name,
            seed=0,
            hardware="none",
            steps=0,
            wall_seconds=0,
            cpu_seconds=0,
            torch="2",
            date=dt.date(2020, 1, 1),
            limits="untrained",
        )
        write_model(tmp_path / "models" / name, build(architecture, options).state_dict(), card)
    return tmp_path / "models"
