import copy

import pytest
import torch


def gradients_norm(learner):
    return torch.sqrt(sum(p.grad.square().sum() for p in learner.network.parameters()))


def test_gradients_are_clipped_to_the_recipes_norm(make_trainer, random_slices):
    batch = random_slices().batch(0, 2)
    loose = make_trainer("loose", gradient_clip=1e9).learner
    loose.step(0, batch, 1e-3)
    norm = float(gradients_norm(loose))
    tight = make_trainer("tight", gradient_clip=norm / 5).learner
    tight.step(0, batch, 1e-3)
    assert float(gradients_norm(tight)) == pytest.approx(norm / 5, rel=1e-4)


def test_the_learning_rate_is_that_of_the_step(make_trainer, random_slices):
    learner = make_trainer().learner
    before = copy.deepcopy(learner.network.state_dict())
    learner.step(0, random_slices().batch(0, 2), 1e-3)
    change = (learner.network.state_dict()["net.3.bias"] - before["net.3.bias"]).abs()
    torch.testing.assert_close(change, torch.full_like(change, 1e-3))  # Adam's first step has the length of its rate


def test_a_step_that_diverges_leaves_the_weights_alone(make_trainer, random_slices):
    learner = make_trainer().learner
    before = copy.deepcopy(learner.network.state_dict())
    with pytest.raises(ArithmeticError, match="diverged"):
        learner.step(0, random_slices(spoiled=[0]).batch(0, 2), 1e-3)
    assert all(torch.equal(before[name], now) for name, now in learner.network.state_dict().items())


def test_master_weights_stay_in_single_precision_under_bfloat16(make_trainer, random_slices):
    learner = make_trainer(precision="bfloat16").learner
    learner.step(0, random_slices().batch(0, 2), 1e-3)
    assert {tensor.dtype for tensor in learner.averaged().values()} == {torch.float32}
    exact = make_trainer("exact").learner
    exact.step(0, random_slices().batch(0, 2), 1e-3)
    assert not torch.equal(learner.network.net[0].weight, exact.network.net[0].weight)
