"""A queue with a thread that exists only while there is work.

A thousand idle sessions cost a thousand small objects, not a thousand threads; a busy one has its thread at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from .errors import Refused

T = TypeVar("T")


class Worker(Generic[T]):
    """Handles items one after the other, in the order of ``put``.

    Parameters
    ----------
    handle
        Called with each item, in the worker's thread. It must not raise.
    name
        Name of the thread.
    capacity
        Items that may wait before ``put_blocking`` blocks; ``put`` never does.
    linger
        Seconds for which an idle thread waits for more before it ends.
    """

    def __init__(self, handle: Callable[[T], None], *, name: str, capacity: int = 4, linger: float = 1.0) -> None:
        self._handle = handle
        self._name = name
        self._capacity = capacity
        self._linger = linger
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._running = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Append an item; the caller sees to it that the queue stays bounded.

        Raises
        ------
        Refused
            The process can start no more threads; the item was not appended.
        """
        with self._changed:
            self._append(item)

    def put_blocking(self, item: T, give_up: Callable[[], bool]) -> bool:
        """Append an item once there is room.

        Parameters
        ----------
        item
            What to append.
        give_up
            Asked four times a second; when true the item is dropped.

        Returns
        -------
        bool
            Whether it was appended.

        Raises
        ------
        Refused
            The process can start no more threads; the item was not appended.
        """
        with self._changed:
            while len(self._items) >= self._capacity:
                if give_up():
                    return False
                self._changed.wait(0.25)
            self._append(item)
            return True

    def replace_last(self, merge: Callable[[T], T | None]) -> bool:
        """Offer the last waiting item to ``merge``; if that returns an item, it takes its place."""
        with self._changed:
            if not self._items:
                return False
            merged = merge(self._items[-1])
            if merged is None:
                return False
            self._items[-1] = merged
            return True

    def take_waiting(self, most: int, wanted: Callable[[T], bool]) -> list[T]:
        """Take the items that wait next, up to the first that is not wanted; for ``handle``, to handle them as well."""
        taken: list[T] = []
        with self._changed:
            while self._items and len(taken) < most and wanted(self._items[0]):
                taken.append(self._items.popleft())
            self._changed.notify_all()
        return taken

    def _append(self, item: T) -> None:
        self._items.append(item)
        if self._running:
            self._changed.notify_all()
            return
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError as error:  # out of threads or of the memory for their stacks
            self._items.pop()
            raise Refused(f"the engine has no thread left for {self._name}: {error}") from error
        self._running = True

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._items:
                    self._changed.wait(self._linger)
                if not self._items:
                    self._running = False
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            self._handle(item)
            del item  # a block keeps its receive buffer alive
