"""The device that a field of a gadget names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine.errors import ConfigurationError

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    import torch


def device_of(name: str) -> torch.device:
    """Return the device of a name: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` ...

    Raises
    ------
    ConfigurationError
        There is no such device.
    """
    from ..models.runtimes.device import find_device

    try:
        return find_device(name)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
