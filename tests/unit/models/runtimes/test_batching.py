"""Calls of many threads, computed together."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.runtimes.batching import Batcher

SECONDS = 10


def slices(value, count=1, size=4):
    kspace = torch.full((count, 2, size, size), value, dtype=torch.complex64)
    return Measurements(kspace, torch.ones(count, 1, size, 1, dtype=torch.bool), torch.ones_like(kspace))


class Recorder:
    """Returns each slice's value, and remembers how many slices came together; 13 is unlucky."""

    def __init__(self):
        self.batches = []

    def __call__(self, measurements):
        self.batches.append(len(measurements))
        if (measurements.kspace.real == 13).any():
            raise ArithmeticError("unlucky")
        return measurements.kspace[:, 0]


def together(batcher, calls):
    """Ask for all results at once, each on a thread of its own."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [pool.submit(batcher.result, call) for call in calls]


def test_waiting_calls_of_one_size_are_computed_together_and_each_gets_its_own():
    recorder = Recorder()
    batcher = Batcher(recorder, most=8, wait_seconds=0)
    calls = [batcher.submit(slices(float(n))) for n in range(5)]
    images = [future.result(SECONDS) for future in together(batcher, calls)]
    assert recorder.batches == [5]
    assert [float(image.real.mean()) for image in images] == [0, 1, 2, 3, 4]


def test_no_batch_is_larger_than_allowed_and_calls_are_not_divided():
    recorder = Recorder()
    batcher = Batcher(recorder, most=4, wait_seconds=0)
    calls = [batcher.submit(slices(1.0, count)) for count in (3, 2, 1, 9)]
    shapes = [future.result(SECONDS).shape[0] for future in together(batcher, calls)]
    assert shapes == [3, 2, 1, 9]
    assert recorder.batches == [4, 2, 9]


def test_other_sizes_are_computed_apart():
    recorder = Recorder()
    batcher = Batcher(recorder, most=8, wait_seconds=0)
    calls = [batcher.submit(slices(1.0, size=size)) for size in (4, 6, 4)]
    assert [f.result(SECONDS).shape[-1] for f in together(batcher, calls)] == [4, 6, 4]
    assert sorted(recorder.batches) == [1, 2]


def test_a_call_that_fails_fails_alone():
    batcher = Batcher(Recorder(), most=8, wait_seconds=0)
    calls = [batcher.submit(slices(value)) for value in (1.0, 13.0, 2.0)]
    good, bad, other = together(batcher, calls)
    assert float(good.result(SECONDS).real.mean()) == 1
    assert float(other.result(SECONDS).real.mean()) == 2
    with pytest.raises(ArithmeticError, match="unlucky"):
        bad.result(SECONDS)


def test_a_batch_waits_for_others_as_long_as_it_may():
    recorder = Recorder()
    batcher = Batcher(recorder, most=2, wait_seconds=SECONDS)
    first = batcher.submit(slices(1.0))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(batcher.result, first)
        batcher.submit(slices(2.0))
        waiting.result(SECONDS)
    assert recorder.batches == [2]


def test_a_cancelled_caller_gives_up_while_others_compute():
    release, begun = threading.Event(), threading.Event()

    def slow(measurements):
        begun.set()
        assert release.wait(SECONDS)
        return measurements.kspace[:, 0]

    batcher = Batcher(slow, most=1, wait_seconds=0)
    with ThreadPoolExecutor(1) as pool:
        computing = pool.submit(batcher.result, batcher.submit(slices(1.0)))
        assert begun.wait(SECONDS)
        with pytest.raises(CancelledError):
            batcher.result(batcher.submit(slices(2.0)), cancelled=lambda: True)
        release.set()
        computing.result(SECONDS)
