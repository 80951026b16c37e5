"""The machine and the versions that figures were measured with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("echotrain", "numpy", "pyzmq", "msgpack", "pydantic", "typer")


def machine() -> str:
    """Return one line: processor, cores, memory, system, versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.release()}, {platform.python_implementation()} {platform.python_version()}"
    return f"{_processor()}, {cores} cores, {memory:.0f} GiB, {system}; {versions}"


def load() -> str:
    """Return how busy the machine is with everything."""
    return f"{os.getloadavg()[0]:.2f}"


def _processor() -> str:
    found: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    features = ", AVX-512" if "avx512f" in found.get("flags", "") else ""
    family = f" (family {found.get('cpu family')}, model {found.get('model')}{features})"
    return found.get("model name", platform.machine()) + family
