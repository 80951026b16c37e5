"""Which device to compute on."""

from __future__ import annotations

import torch

from ..model_card import ModelError


def find_device(name: str) -> torch.device:
    """Return the device of a name.

    Parameters
    ----------
    name
        ``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ...

    Raises
    ------
    ModelError
        There is no such device here.
    """
    known = ("cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count())))
    if name == "auto":
        return torch.device(known[1] if len(known) > 1 else "cpu")
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in known:
        raise ModelError(f"got the device {name!r}; known here: auto, {', '.join(known)}")
    return torch.device(wanted)
