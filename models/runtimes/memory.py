"""Whether a reconstruction fits the memory, told before it begins."""

from __future__ import annotations

import copy
import math
import resource
from pathlib import Path

import torch
from torch import Tensor, nn

from ..measurements import Measurements
from ..networks.network import Network

_COMPLEX_COPIES = 6  # of the k-space of all coils: measured, weighted, transformed, with what transforms keep
_MEMINFO = Path("/proc/meminfo")
_STATUS = Path("/proc/self/status")
_CGROUP = Path("/sys/fs/cgroup")


def bytes_per_pixel(network: Network) -> float:
    """Return how much memory the network's largest block takes per pixel of a slice.

    All outputs of all its layers together, found by a pass without arithmetic: more than what is alive at once.
    """
    return max(_block_bytes(network.get_submodule(b.path), b.channels, 4 * b.multiple) for b in network.blocks())


def _block_bytes(module: nn.Module, channels: tuple[int, ...], side: int) -> float:
    total = 0

    def count(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        total += output.numel() * output.element_size()

    shadow = copy.deepcopy(module).to("meta")
    for layer in shadow.modules():
        if not list(layer.children()):
            layer.register_forward_hook(count)
    with torch.no_grad():
        shadow(*(torch.zeros(1, number, side, side, device="meta") for number in channels))
    return total / side**2


def check_memory(measurements: Measurements, pixel_bytes: float, what: str) -> None:
    """Refuse what would not fit.

    Parameters
    ----------
    measurements
        On the device that will compute.
    pixel_bytes
        Of ``bytes_per_pixel``.
    what
        The model, for the error.

    Raises
    ------
    MemoryError
        An estimate of what it takes is more than what is free.
    """
    batch, coils, *matrix = measurements.kspace.shape
    device = measurements.kspace.device
    needed = batch * math.prod(matrix) * (pixel_bytes + _COMPLEX_COPIES * coils * 8)
    free = free_bytes(device)
    if needed > free:
        size, kind = " x ".join(map(str, matrix)), "slices" if len(matrix) == 2 else "volumes"
        raise MemoryError(
            f"{what} would take about {needed / 2**30:.2g} GiB for {batch} {kind} of {size} from {coils} coils, "
            f"{free / 2**30:.2g} GiB are free on {device}; compress coils, crop, or use a smaller model"
        )


def free_bytes(device: torch.device) -> float:
    """Return how much memory may still be taken: of a GPU, or of the machine, its control group and this process."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    free = [_entry(_MEMINFO, "MemAvailable:") * 1024]
    if soft != resource.RLIM_INFINITY:
        free.append(soft - _entry(_STATUS, "VmData:") * 1024)
    limit = _CGROUP / "memory.max"
    if limit.is_file() and (text := limit.read_text().strip()) != "max":
        free.append(int(text) - _entry(_CGROUP / "memory.stat", "anon"))  # cached files give way
    return min(free)


def _entry(file: Path, name: str) -> int:
    """Return a number from a table of the kernel; raise ``OSError`` where there is no such table."""
    for line in file.read_text().splitlines():
        key, value, *_ = line.split()
        if key == name:
            return int(value)
    raise OSError(f"{file} has no {name}")
