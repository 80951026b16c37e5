"""Keeping freed memory for the next block.

glibc gives large freed arrays back to the system at once and takes them anew, page by page, for the next block of
readouts: on virtual machines those page faults cost as much as the arithmetic. A daemon that sees the same sizes over
and over does better to keep up to ``KEPT_BYTES``. See docs/decisions/0012.
"""

from __future__ import annotations

import ctypes

KEPT_BYTES = 128 * 1024 * 1024
"""Freed memory that stays with the process."""
_LARGEST_KEPT_BYTES = 32 * 1024 * 1024  # glibc's own maximum for M_MMAP_THRESHOLD

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def keep_freed_memory() -> bool:
    """Tell the C library to keep freed memory, in one arena for all threads.

    Returns
    -------
    bool
        Whether it could be told; other C libraries than glibc have no such call, and nothing changes there.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    options = ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES), (_M_TRIM_THRESHOLD, KEPT_BYTES))
    taken = [mallopt(option, value) for option, value in options]
    return all(taken)
