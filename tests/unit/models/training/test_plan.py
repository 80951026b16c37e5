import math

import pytest

from echotrain.models.training.plan import Plan, learning_rate


def test_the_learning_rate_rises_linearly_and_falls_by_a_half_cosine():
    plan = Plan(last=100)
    for step in range(100):
        expected = 2e-3 * min(1, (step + 1) / 10) * 0.5 * (1 + math.cos(math.pi * step / 100))
        assert learning_rate(2e-3, "cosine", 10, plan, step) == pytest.approx(expected)
    assert learning_rate(2e-3, "cosine", 10, plan, 100) == 0


def test_a_constant_schedule_keeps_its_rate_after_the_warm_up():
    assert [learning_rate(1.0, "constant", 4, Plan(last=8), step) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_without_warm_up_the_first_step_has_the_highest_rate():
    assert learning_rate(1.0, "cosine", 0, Plan(last=8), 0) == 1


def test_a_changed_plan_goes_on_from_the_progress_there_was():
    plan = Plan(last=100).ending_at(60, step=20)
    assert plan.progress(20) == pytest.approx(0.2)
    assert plan.progress(40) == pytest.approx(0.6)
    assert plan.progress(60) == plan.progress(70) == 1


def test_a_plan_cannot_end_before_the_steps_already_done():
    assert Plan(last=100).ending_at(10, step=20).last == 20
