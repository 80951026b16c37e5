import pytest
import torch

from echotrain.models.simulation.acquisition_range import AcquisitionRange
from echotrain.models.training.checkpoint import CHECKPOINT, TrainingState, load, save
from echotrain.models.training.errors import CheckpointError
from echotrain.models.training.plan import Plan


@pytest.fixture
def state(recipe):
    return TrainingState(recipe=recipe(), plan=Plan(last=10, step=4, done=0.1 + 0.2), step=5, loss_sum=1 / 3)


def test_a_checkpoint_returns_what_was_saved_to_the_bit(tmp_path, state):
    shared = torch.randn(3, 4, 5, 5).to(memory_format=torch.channels_last)
    tensors = {"a": shared, "b": shared[1:], "c": torch.tensor(3.0), "d": torch.arange(4, dtype=torch.uint8)}
    save(tmp_path, state, tensors)
    found, back = load(tmp_path, state.recipe)
    assert found == state
    assert all(torch.equal(back[name], tensors[name]) and back[name].dtype == tensors[name].dtype for name in tensors)


def test_infinite_values_survive(tmp_path, state):
    noiseless = AcquisitionRange(snr=(float("inf"), float("inf")))
    state = state.model_copy(update={"recipe": state.recipe.model_copy(update={"acquisition": noiseless})})
    save(tmp_path, state, {})
    assert load(tmp_path, state.recipe)[0] == state


def test_without_a_checkpoint_there_is_none(tmp_path, recipe):
    assert load(tmp_path, recipe()) is None


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, state, monkeypatch):
    save(tmp_path, state, {"a": torch.ones(1)})

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("echotrain.models.training.checkpoint.os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        save(tmp_path, state, {"a": torch.zeros(1)})
    assert torch.equal(load(tmp_path, state.recipe)[1]["a"], torch.ones(1))


def test_a_checkpoint_of_another_recipe_is_refused_and_the_differences_are_named(tmp_path, state, recipe):
    save(tmp_path, state, {})
    with pytest.raises(CheckpointError, match=r"training\.batch: 2, 8") as caught:
        load(tmp_path, recipe(batch=8, seed=3))
    assert "training.seed: 0, 3" in str(caught.value)
    assert "--restart" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x80\x04not a checkpoint", b"\x02\0\0\0\0\0\0\0{}"])
def test_a_damaged_checkpoint_is_refused_and_says_what_to_do(tmp_path, recipe, content):
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"cannot be read: .*--restart"):
        load(tmp_path, recipe())
