"""How many processor threads a command computes with."""

from __future__ import annotations

import os

POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What libraries read in the environment when they are loaded."""


def limit_threads(threads: int) -> None:
    """Limit the threads of OpenMP, of BLAS and of torch, each.

    To be called before numpy is first imported: its BLAS, and scipy's, read the environment when they are loaded.

    Parameters
    ----------
    threads
        At least 1.
    """
    os.environ.update(dict.fromkeys(POOLS, str(threads)))
    import torch  # after the environment was set

    torch.set_num_threads(threads)  # torch may have been imported before
