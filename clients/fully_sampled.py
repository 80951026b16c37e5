"""The k-space of a fully sampled scan file, as evaluation takes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..engine.chain import Chain
from ..engine.errors import ConfigurationError
from ..engine.gadget import Context
from ..engine.mrd_header import parse_header
from ..engine.records import KSpace
from ..gadgets.accumulate import Accumulate
from ..gadgets.remove_oversampling import RemoveOversampling
from .scan_file import read_scan


def fully_sampled_kspace(path: Path) -> NDArray[np.complex64]:
    """Gather the first slice of a fully sampled Cartesian scan.

    Returns
    -------
    ndarray
        (coils, ky, kx) complex64, without readout oversampling, k = 0 at index n // 2.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or lines are missing.
    """
    scan = read_scan(path)
    # k-space is what no client can receive, and so nothing that a checked chain ends with
    chain = Chain(
        [("remove_oversampling", RemoveOversampling()), ("accumulate", Accumulate())],
        check=False,
    )
    chain.start(Context(header=parse_header(scan.header.xml)))
    gathered = [k for message in scan.messages for k in chain.feed(message) if isinstance(k, KSpace)]
    gathered += [k for k in chain.finish() if isinstance(k, KSpace)]
    if not gathered:
        raise ConfigurationError(f"{path} holds no imaging readouts")
    first = min(gathered, key=lambda k: k.key)
    if not first.sampled.all() or first.data.shape[1] != 1:
        raise ConfigurationError(
            f"{path}: {int(first.sampled.sum())} of {first.sampled.size} lines (kz, ky) of {first.sampled.shape} were "
            "acquired, expected all, of one slice: what is evaluated is compared with the fully sampled scan"
        )
    return np.ascontiguousarray(first.data[:, 0])
