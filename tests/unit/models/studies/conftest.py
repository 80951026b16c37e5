"""What tests of studies share: small images, and a folder of untrained models."""

import datetime as dt

import numpy as np
import pytest
import torch

from echotrain.models.model_card import ModelCard
from echotrain.models.model_store import write_model
from echotrain.models.networks.build import build
from echotrain.models.studies.slices import SimulatedScans
from echotrain.models.trained_range import TrainedRange

MODELS = (
    ("tiny", "prior", "diffusion_prior", {"channels": [4], "blocks": 1, "embedding": 4}),
    ("sure-denoiser", "supervised", "sure_denoiser", {"channels": 2, "pools": 1}),
    ("one", "supervised", "unet", {"channels": 2, "pools": 1, "start": "sense"}),
    ("other", "supervised", "modl", {"unrolls": 1, "iterations": 3, "channels": 2, "pools": 1}),
)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Return a folder of models."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    for name, kind, architecture, options in MODELS:
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
        write_model(folder / name, build(architecture, options).state_dict(), card)
    return folder


@pytest.fixture(scope="session")
def scans():
    """Return three small images to simulate scans of."""
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    discs = [np.where(x**2 + y**2 < r, 150 + 40 * np.cos(9 * x), 0) for r in (0.4, 0.5, 0.6)]
    return SimulatedScans("discs", np.array(discs, np.uint8))
