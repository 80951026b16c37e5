"""A training small enough to be run many times: a few weights, slices of 12 x 12."""

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.networks.network import Block, Network, as_channels, as_complex
from echotrain.models.simulation.acquisition_range import AcquisitionRange
from echotrain.models.simulation.simulated_slices import TrainingBatch
from echotrain.models.training import checkpoint
from echotrain.models.training.checkpoint import TrainingState, unprefixed
from echotrain.models.training.learner import Learner
from echotrain.models.training.loss import DISTANCES, supervised
from echotrain.models.training.plan import Plan
from echotrain.models.training.recipe import DataTable, ModelTable, Recipe, TrainingTable
from echotrain.models.training.trainer import Trainer
from echotrain.models.training.validation import Validation


class TinyNetwork(Network):
    """Two convolutions, with dropout so that torch's own random numbers matter."""

    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Conv2d(2, 4, 3, padding=1),
            torch.nn.Dropout(0.2),
            torch.nn.ReLU(),
            torch.nn.Conv2d(4, 2, 3, padding=1),
        )

    def forward(self, measurements):
        image = measurements.zero_filled()
        return image + as_complex(self.net(as_channels(image)))

    def blocks(self):
        return (Block("net", (2,), 1),)


class RandomSlices:
    """Batches of noise; a batch whose number is in ``spoiled`` holds a NaN."""

    def __init__(self, seed=0, spoiled=()):
        self.seed, self.spoiled = seed, spoiled

    def batch(self, number, size):
        generator = torch.Generator().manual_seed(1000 * self.seed + number)
        kspace = torch.randn(size, 2, 12, 12, dtype=torch.complex64, generator=generator)
        mask = torch.rand(size, 1, 12, 1, generator=generator) < 0.5
        maps = torch.full_like(kspace, 0.5**0.5)
        target = torch.randn(size, 12, 12, dtype=torch.complex64, generator=generator)
        if number in self.spoiled:
            target[0, 0, 0] = torch.nan
        return TrainingBatch(Measurements(kspace * mask, mask, maps), target)


class Told:
    """A watcher that remembers."""

    def __init__(self):
        self.steps, self.points = [], []

    def stepped(self, step):
        self.steps.append(step)

    def validated(self, point, last):
        self.points.append(point)


@pytest.fixture
def recipe():
    """Return a recipe with some fields of [training] changed."""

    def make(**changes):
        training = {
            "steps": 10, "batch": 2, "learning_rate": 1e-2, "warm_up": 3, "average": 0.9, "validate_every": 4,
            "validation_batches": 1,
        } | changes  # fmt: skip
        return Recipe(
            model=ModelTable(name="tiny", architecture="unet"),
            data=DataTable(images="a.h5", validation=["b"]),
            acquisition=AcquisitionRange(),
            training=TrainingTable(**training),
        )

    return make


@pytest.fixture
def make_trainer(tmp_path, recipe):
    """Return a trainer of ``folder``, resumed if there is a checkpoint, as ``session.prepare`` makes one."""

    def make(folder="run", *, batches=None, validation=None, **options):
        run = tmp_path / folder
        run.mkdir(exist_ok=True)
        changes = {name: options.pop(name) for name in list(options) if name in TrainingTable.model_fields}
        wanted = recipe(**changes)
        state, tensors = checkpoint.load(run, wanted) or (
            TrainingState(recipe=wanted, plan=Plan(last=wanted.training.steps)),
            {},
        )
        torch.manual_seed(wanted.training.seed)
        learner = Learner(TinyNetwork(), supervised(DISTANCES[wanted.training.loss]), wanted.training)
        if tensors:
            learner.restore(tensors)
        return Trainer(
            learner=learner,
            batches=batches or RandomSlices(),
            validation=validation or Validation([RandomSlices(seed=1).batch(0, 2)]),
            folder=run,
            watcher=Told(),
            state=state,
            best=unprefixed("best", tensors),
            **options,
        )

    return make


@pytest.fixture
def random_slices():
    """Return the maker of noise."""
    return RandomSlices
