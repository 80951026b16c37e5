import threading
import time

import pytest

from echotrain.engine.errors import Refused
from echotrain.engine.worker import Worker


def alive(name):
    return [t for t in threading.enumerate() if t.name == name]


def test_items_are_handled_in_order_and_the_thread_ends_when_idle():
    seen, done = [], threading.Event()

    def handle(item):
        seen.append(item)
        if item == 99:
            done.set()

    worker = Worker(handle, name="orderly", linger=0.01)
    assert not alive("orderly")
    for item in range(100):
        worker.put(item)
    assert done.wait(5)
    assert seen == list(range(100))
    deadline = time.monotonic() + 5
    while alive("orderly") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive("orderly")
    done.clear()
    worker.put(99)  # it comes back when there is work again
    assert done.wait(5)


def test_put_blocking_waits_for_room_and_gives_up_when_told():
    release, handled = threading.Event(), []

    def handle(item):
        release.wait(5)
        handled.append(item)

    worker = Worker(handle, name="full", capacity=1, linger=0.01)
    worker.put(0)
    while len(worker):
        time.sleep(0.001)
    assert worker.put_blocking(1, lambda: False)
    assert not worker.put_blocking(2, lambda: True)
    release.set()
    assert worker.put_blocking(3, lambda: False)
    deadline = time.monotonic() + 5
    while len(handled) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert handled == [0, 1, 3]


def test_the_last_waiting_item_can_be_merged():
    release, handled = threading.Event(), []

    def handle(item):
        release.wait(5)
        handled.append(item)

    worker = Worker(handle, name="merging", linger=0.01)
    assert not worker.replace_last(lambda item: item)
    worker.put(1)
    while len(worker):
        time.sleep(0.001)
    worker.put(2)
    assert worker.replace_last(lambda item: item + 10)
    assert not worker.replace_last(lambda _: None)
    release.set()
    while len(handled) < 2:
        time.sleep(0.001)
    assert handled == [1, 12]


def test_a_handler_takes_what_waits_up_to_what_it_does_not_want_and_makes_room():
    first, handled = threading.Event(), []

    def handle(item):
        first.wait(5)
        handled.append([item, *worker.take_waiting(3, lambda other: other < 10)])

    worker = Worker(handle, name="taking", capacity=6, linger=0.01)
    worker.put(0)
    while len(worker):
        time.sleep(0.001)
    for item in (1, 2, 3, 4, 10, 5):
        worker.put(item)
    waiting = threading.Thread(target=worker.put_blocking, args=(6, lambda: False))
    waiting.start()
    first.set()
    waiting.join(5)
    deadline = time.monotonic() + 5
    while sum(map(len, handled)) < 8 and time.monotonic() < deadline:
        time.sleep(0.001)
    flat = [item for items in handled for item in items]
    assert flat == [0, 1, 2, 3, 4, 10, 5, 6]
    assert handled[:3] == [[0, 1, 2, 3], [4], [10, 5]] or handled[:3] == [[0, 1, 2, 3], [4], [10, 5, 6]]


def test_a_worker_without_a_thread_says_so_and_works_once_there_is_one(monkeypatch):
    seen, done = [], threading.Event()
    worker = Worker(lambda item: (seen.append(item), done.set()), name="late", linger=0.01)

    def start(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(Refused, match="no thread left for late"):
            worker.put(1)
    worker.put(2)
    assert done.wait(5)
    assert seen == [2]
