from itertools import pairwise

import pytest
import torch

from echotrain.models.training.checkpoint import CHECKPOINT
from echotrain.models.training.errors import DivergedError


class Clock:
    """A clock that stands still but where it is told that something takes a while."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def make_timed(make_trainer):
    """Return a trainer on a fake clock whose steps take 1 s, or ``seconds(step)``, and whose validations take 5 s."""

    def make(folder="run", *, seconds=lambda _: 1.0, **options):
        clock = Clock()
        trainer = make_trainer(folder, clock=clock, **{"steps": 10**6, "validate_every": 50} | options)
        step, validation = trainer.learner.step, trainer.validation

        def slow_step(number, batch, rate):
            clock.now += seconds(number)
            return step(number, batch, rate)

        class SlowValidation:
            zero_filled = validation.zero_filled

            def __call__(self, network, picture):
                clock.now += 5
                return validation(network, picture)

        trainer.learner.step, trainer.validation = slow_step, SlowValidation()
        return trainer

    return make


def stop_after(steps):
    """Return an answer that becomes True when it was asked ``steps`` times."""
    asked = iter(range(10**6))
    return lambda: next(asked) >= steps


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("steps", [1, 4, 6])
def test_an_interrupted_training_ends_with_the_same_bits_as_one_that_was_not(make_trainer, steps, precision, optimiser):
    options = {"precision": precision, "optimiser": optimiser, "weight_decay": 0.01}
    whole = make_trainer("whole", **options)
    whole.run()
    first = make_trainer("parts", stop=stop_after(steps), **options)
    first.run()
    assert first.state.step == steps
    assert not first.state.ended
    torch.rand(5)  # whatever happened to torch's random numbers in between
    second = make_trainer("parts", **options)
    second.run()
    assert second.state.step == whole.state.step == 10
    assert same(second.learner.tensors(), whole.learner.tensors())
    assert same(second.best, whole.best)
    a, b = ([point.model_copy(update={"seconds": 0}) for point in t.state.curve] for t in (whole, second))
    assert a == b


def test_a_killed_training_goes_on_from_its_last_validation_to_the_same_bits(make_trainer, random_slices):
    whole = make_trainer("whole")
    whole.run()

    class Killed(random_slices):
        def batch(self, number, size):
            if number == 6:
                raise KeyboardInterrupt
            return super().batch(number, size)

    with pytest.raises(KeyboardInterrupt):
        make_trainer("killed", batches=Killed()).run()
    resumed = make_trainer("killed")
    assert resumed.state.step == 4
    resumed.run()
    assert same(resumed.learner.tensors(), whole.learner.tensors())


def test_another_seed_gives_other_weights(make_trainer):
    trainers = [make_trainer(str(seed), seed=seed) for seed in (0, 1)]
    for trainer in trainers:
        trainer.run()
    assert not same(*(trainer.best for trainer in trainers))


def test_training_lowers_the_loss(make_trainer, random_slices):
    class Halved(random_slices):
        """Images twice as bright as their zero-filled ones."""

        def batch(self, number, size):
            batch = super().batch(number, size)
            return type(batch)(batch.measurements, 2 * batch.measurements.zero_filled())

    trainer = make_trainer(batches=Halved(), steps=150, validate_every=50)
    trainer.run()
    losses = [point.loss for point in trainer.state.curve[1:]]
    assert losses[-1] < 0.8 * losses[0]
    assert trainer.watcher.points[-1].loss == losses[-1]


def test_a_time_budget_ends_the_training_in_time_with_its_schedule_complete(make_timed):
    trainer = make_timed(budget=240.0)
    trainer.run()
    assert trainer.state.ended == "all steps done"
    assert 230 <= trainer.state.wall_seconds <= 240
    assert trainer.state.step >= 205
    assert trainer.best
    assert trainer.watcher.steps[-1].learning_rate < 1e-5  # of 1e-2: the cosine came down


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_schedule_fitted_to_a_budget_follows_when_the_steps_become_slower_or_faster(make_timed, factor):
    trainer = make_timed(budget=240.0, seconds=lambda step: 1.0 if step < 60 else factor)
    trainer.run()
    assert 225 <= trainer.state.wall_seconds <= 243
    rates = [step.learning_rate for step in trainer.watcher.steps]
    assert rates[-1] < 3e-4
    assert all(abs(b - a) < 7e-4 for a, b in pairwise(rates[3:]))


def test_a_budget_never_makes_a_training_longer_than_its_recipe(make_timed):
    trainer = make_timed(budget=1000.0, steps=20)
    trainer.run()
    assert trainer.state.step == 20


def test_a_budget_too_short_for_a_step_leaves_the_initial_weights(make_timed):
    trainer = make_timed(budget=0.5)
    trainer.run()
    assert trainer.state.ended == "the time budget is spent"
    assert trainer.best
    assert trainer.state.step == 0


def test_a_budget_counts_the_time_before_an_interruption(make_timed):
    make_timed(budget=120.0, stop=stop_after(20)).run()
    second = make_timed(budget=120.0)
    assert second.state.wall_seconds == 25
    second.run()
    assert 110 <= second.state.wall_seconds <= 120


def test_the_plan_made_for_a_budget_is_in_the_checkpoint(make_timed):
    first = make_timed(budget=120.0, stop=stop_after(20))
    first.run()
    assert 100 <= first.state.plan.last <= 110
    assert make_timed(budget=120.0).state.plan == first.state.plan


def test_a_stopped_training_leaves_a_checkpoint_and_weights(make_trainer):
    trainer = make_trainer(stop=lambda: True)
    trainer.run()
    assert trainer.state.ended == ""
    assert trainer.best
    assert (trainer.folder / CHECKPOINT).is_file()


def test_a_training_that_ended_does_nothing_when_it_is_run_again(make_trainer):
    make_trainer().run()
    again = make_trainer()
    again.run()
    assert again.watcher.steps == []
    assert again.state.ended == "all steps done"
    assert again.best


class Scripted:
    """A validation that gives the figures it was told."""

    zero_filled = 20.0

    def __init__(self, *figures):
        self.figures = iter(figures)

    def __call__(self, network, picture):
        return next(self.figures)


def test_patience_ends_a_training_that_validates_no_better_and_the_best_weights_stay(make_trainer):
    trainer = make_trainer(
        validation=Scripted(20.0, 21.0, 25.0, 24.0, 24.9, 24.0), steps=100, validate_every=2, patience=2
    )
    kept = {}
    trainer.stop = lambda: kept.setdefault(trainer.state.step, trainer.best) is None
    trainer.run()
    assert trainer.state.step == 8
    assert trainer.state.ended == "no better validation since step 4"
    assert (trainer.state.best_step, trainer.state.best_psnr) == (4, 25.0)
    assert same(trainer.best, kept[4])


def test_validation_sees_the_averaged_weights_and_training_goes_on_with_its_own(make_trainer):
    trainer = make_trainer(steps=3, validate_every=100)
    seen = []

    class Looking(Scripted):
        def __call__(self, network, picture):
            seen.append((network.training, {n: p.detach().clone() for n, p in network.named_parameters()}))
            return super().__call__(network, picture)

    trainer.validation = Looking(20.0, 21.0)
    trainer.run()
    in_training, weights = seen[-1]
    assert not in_training
    assert same(weights, trainer.learner.average.weights)
    assert same(weights, trainer.best)
    assert trainer.learner.network.training
    own = dict(trainer.learner.network.named_parameters())
    assert not torch.equal(own["net.0.weight"], weights["net.0.weight"])


def test_a_loss_that_is_not_finite_stops_the_training_and_names_step_and_batch(make_trainer, random_slices):
    trainer = make_trainer(batches=random_slices(spoiled=[6]))
    with pytest.raises(DivergedError, match="step 7 diverged: on batch 6 the loss is nan"):
        trainer.run()
    assert make_trainer().state.step == 4  # what is on disk is good
    assert all(weights.isfinite().all() for weights in trainer.best.values())


def test_no_file_of_a_run_is_a_pickle_and_none_is_left_half_written(make_trainer):
    trainer = make_trainer()
    trainer.run()
    names = {file.name for file in trainer.folder.iterdir()}
    pictures = {f"validation-{step:06d}.png" for step in (0, 4, 8, 10)}
    assert names == {CHECKPOINT, "curves.csv", "curves.png"} | pictures
    for file in trainer.folder.iterdir():
        start = file.read_bytes()[:64]
        assert not start.startswith((b"\x80", b"PK")), file.name  # a pickle; a zip, as torch.save writes
