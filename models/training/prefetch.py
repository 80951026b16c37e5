"""The next batches are made by a thread while the network learns from one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Calls ``make(first)``, ``make(first + 1)``, ... in one thread, some calls ahead of whoever takes the results.

    ``make`` must depend on its argument alone; so it does not matter to the results when the thread ran.
    """

    def __init__(self, make: Callable[[int], T], first: int, ahead: int = 2) -> None:
        self._make = make
        self._number = first
        self._ahead = ahead
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
        self._made: deque[Future[T]] = deque()

    def take(self) -> T:
        """Return the next result, or raise what making it raised."""
        while len(self._made) <= self._ahead:
            self._made.append(self._pool.submit(self._make, self._number))
            self._number += 1
        return self._made.popleft().result()

    def __enter__(self) -> Prefetch[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
